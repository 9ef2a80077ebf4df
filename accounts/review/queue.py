"""The reviewers' queue: saved filters, flags, ages, and the next application."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Case, Count, Exists, OuterRef, Q, Subquery, Value, When
from django.utils import timezone

from accounts.applications.free_mail import is_free
from accounts.applications.models import Application, ApplicationQuerySet, ApplicationSnapshot
from accounts.applications.transition_table import OPEN_STATES, WAITING_STATES, Status
from accounts.review import working_days
from accounts.review.models import Conflict, Consultation, Decision
from accounts.roles.models import RoleAssignment, in_tiers
from accounts.roles.permissions import DECIDERS

if TYPE_CHECKING:
    from accounts.users.models import User


class Flag(models.TextChoices):
    """A label on an application in the list."""

    APPEAL = "appeal", "appeal"
    SECOND = "second", "second approval"
    QUESTION = "question", "open question"
    AGAIN = "again", "sent again"
    BEFORE = "before", "applied before"
    COMMERCIAL = "commercial", "commercial interest"
    FREE_MAIL = "free_mail", "free mail"


class Desk(models.TextChoices):
    """The saved filters above the queue."""

    MINE = "mine", "Mine"
    UNCLAIMED = "unclaimed", "Unclaimed"
    OVERDUE = "overdue", "Overdue"
    SECOND = "second", "Awaiting my second approval"
    ASKED = "asked", "Questions to me"


def desk_condition(desk: str, user: "User") -> Q:
    """Return the condition of one saved filter for `user`."""
    today = working_days.utc_date(timezone.now())
    conflicts = Conflict.objects.filter(application=OuterRef("pk"), reviewer=user)
    # An outer join would read all decisions to count the applications of each filter.
    own_approvals = Decision.objects.filter(pk=OuterRef("first_approval"), reviewer=user)
    questions = Consultation.objects.filter(
        application=OuterRef("pk"), colleague=user, answered_at=None
    )
    conditions: dict[str, Callable[[], Q]] = {
        Desk.MINE: lambda: Q(status=Status.IN_REVIEW, claimed_by=user),
        Desk.UNCLAIMED: lambda: Q(status=Status.SUBMITTED) & ~Q(applicant=user),
        Desk.OVERDUE: lambda: Q(status__in=WAITING_STATES, due_on__lt=today),
        Desk.SECOND: lambda: (
            Q(status=Status.IN_REVIEW, first_approval__isnull=False, pending_until=None)
            & Q(~Exists(own_approvals))
            & ~Q(applicant=user)
            & Q(~Exists(conflicts))
        ),
        Desk.ASKED: lambda: Q(status__in=OPEN_STATES) & Q(Exists(questions)),
    }
    return conditions[desk]()


def desk_counts(applications: "ApplicationQuerySet", user: "User") -> dict[str, int]:
    """Return the number of applications in each saved filter, in one query."""
    filters = {desk: Count("pk", filter=desk_condition(desk, user)) for desk in Desk.values}
    # Saved filters show only open applications; skip the many closed ones.
    counts: dict[str, int] = applications.filter(status__in=OPEN_STATES).aggregate(**filters)
    return counts


def awaiting_claimer(
    applications: "models.QuerySet[Application]", user: "User"
) -> "models.QuerySet[Application]":
    """Return the claims of `user`, except decided ones and those awaiting a second approval."""
    claimed = applications.filter(desk_condition(Desk.MINE, user), pending_until=None)
    return claimed.exclude(first_approval__reviewer=user)


def undoable_by(user: "User") -> "models.QuerySet[Application]":
    """Return applications whose decision `user` can still undo, oldest decision first."""
    waiting = Application.objects.filter(
        status=Status.IN_REVIEW, pending_by=user, pending_until__gt=timezone.now()
    )
    return waiting.select_related("tier").order_by("pending_until")


def age_in_days(application: Application) -> int | None:
    """Return working days from first submission to the decision or today; None for a draft."""
    if application.submitted_at is None:
        return None
    end = application.decided_at or timezone.now()
    return working_days.between(
        working_days.utc_date(application.submitted_at), working_days.utc_date(end)
    )


def is_overdue(application: Application) -> bool:
    today = working_days.utc_date(timezone.now())
    return application.is_waiting and application.due_on is not None and application.due_on < today


def annotate_rows(applications: "ApplicationQuerySet") -> "ApplicationQuerySet":
    """Annotate the last submitted answers as `sent`, and most flags as booleans."""
    newest = ApplicationSnapshot.objects.filter(application=OuterRef("pk")).order_by("-number")
    return applications.annotate(
        sent=Subquery(newest.values("answers")[:1]),
        **{f"flag_{flag}": _boolean(condition()) for flag, condition in _CONDITIONS.items()},
    )


def flags_of(application: Any) -> list[Flag]:
    """Return the flags of a row from `annotate_rows`."""
    flags = [flag for flag in _CONDITIONS if getattr(application, f"flag_{flag}")]
    if is_free(str((application.sent or {}).get("work_email", ""))):
        flags.append(Flag.FREE_MAIL)
    return flags


def with_flag(applications: "ApplicationQuerySet", flag: str) -> "ApplicationQuerySet":
    """Return the applications with this flag."""
    if flag != Flag.FREE_MAIL:
        return applications.filter(_CONDITIONS[Flag(flag)]())
    # Thousands of domains do not fit into a condition, so a second query reads the addresses.
    rows = applications.order_by().values_list("pk", "answers__work_email")
    return applications.filter(pk__in=[pk for pk, address in rows if is_free(address or "")])


def next_application(user: "User", after: "Application | None" = None) -> "Application | None":
    """Return the oldest unclaimed application that `user` may decide, or None.

    Applications that `user` has decided before come first; those last claimed by others come last.
    With `after`, return the next one by age; after the newest, start again.
    """
    own_decisions = Decision.objects.filter(application=OuterRef("pk"), reviewer=user)
    conflicts = Conflict.objects.filter(application=OuterRef("pk"), reviewer=user)
    submitted = Application.objects.filter(status=Status.SUBMITTED)
    decidable = in_tiers(submitted, RoleAssignment.objects.held(user, DECIDERS).tiers())
    waiting = decidable.filter(~Exists(conflicts)).exclude(applicant=user)
    if after is not None and after.submitted_at is not None:
        waiting = waiting.exclude(pk=after.pk)
        later = Q(submitted_at__gt=after.submitted_at)
        later |= Q(submitted_at=after.submitted_at, pk__gt=after.pk)
        if following := waiting.filter(later).order_by("submitted_at", "pk").first():
            return following
    returned_by_other = _boolean(Q(claimed_by__isnull=False) & ~Q(claimed_by=user))
    ranked = waiting.annotate(own=Exists(own_decisions), returned_by_other=returned_by_other)
    return ranked.order_by("-own", "returned_by_other", "submitted_at", "pk").first()


def _boolean(condition: Q) -> Case:
    return Case(
        When(condition, then=Value(True)), default=Value(False), output_field=models.BooleanField()
    )


def _second() -> Q:
    return Q(status=Status.IN_REVIEW, first_approval__isnull=False)


def _question() -> Q:
    return Q(Exists(Consultation.objects.filter(application=OuterRef("pk"), answered_at=None)))


def _again() -> Q:
    return Q(Exists(ApplicationSnapshot.objects.filter(application=OuterRef("pk"), number__gt=1)))


def _before() -> Q:
    others = Application.objects.filter(applicant=OuterRef("applicant"), tier=OuterRef("tier"))
    return Q(Exists(others.filter(pk__lt=OuterRef("pk")).exclude(status=Status.DRAFT)))


def _commercial() -> Q:
    return Q(answers__commercial=True) | Q(answers__commercial="yes")


_CONDITIONS: dict[Flag, Callable[[], Q]] = {
    Flag.APPEAL: lambda: Q(kind=Application.Kind.APPEAL),
    Flag.SECOND: _second,
    Flag.QUESTION: _question,
    Flag.AGAIN: _again,
    Flag.BEFORE: _before,
    Flag.COMMERCIAL: _commercial,
}
