"""The reviewers' queue: what stands out in it, and what comes next."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Case, Count, Exists, OuterRef, Q, Subquery, Value, When
from django.utils import timezone

from accounts.applications.free_mail import is_free
from accounts.applications.models import Application, ApplicationQuerySet, ApplicationSnapshot
from accounts.applications.state_machine import OPEN_STATES, WAITING_STATES, Status
from accounts.review import working_days
from accounts.review.models import Conflict, Consultation, Decision
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import DECIDERS
from accounts.tiers.models import Tier

if TYPE_CHECKING:
    from accounts.users.models import User


class Flag(models.TextChoices):
    """What a reviewer should see of an application before opening it."""

    SECOND = "second", "second approval"
    QUESTION = "question", "open question"
    AGAIN = "again", "sent again"
    BEFORE = "before", "applied before"
    COMMERCIAL = "commercial", "commercial interest"
    FREE_MAIL = "free_mail", "free mail"


class Desk(models.TextChoices):
    """The saved filters beside the queue."""

    MINE = "mine", "Mine"
    UNCLAIMED = "unclaimed", "Unclaimed"
    OVERDUE = "overdue", "Overdue"
    SECOND = "second", "Awaiting my second approval"
    ASKED = "asked", "Asked to me"


def on_desk(desk: str, user: "User") -> Q:
    """The condition of one saved filter, as this person's."""
    today = working_days.day_of(timezone.now())
    conflicts = Conflict.objects.filter(application=OuterRef("pk"), reviewer=user)
    asked = Consultation.objects.filter(
        application=OuterRef("pk"), colleague=user, answered_at=None
    )
    conditions: dict[str, Callable[[], Q]] = {
        Desk.MINE: lambda: Q(status=Status.IN_REVIEW, claimed_by=user),
        Desk.UNCLAIMED: lambda: Q(status=Status.SUBMITTED) & ~Q(applicant=user),
        Desk.OVERDUE: lambda: Q(status__in=WAITING_STATES, due_on__lt=today),
        Desk.SECOND: lambda: (
            Q(status=Status.IN_REVIEW, first_approval__isnull=False)
            & ~Q(first_approval__reviewer=user)
            & ~Q(applicant=user)
            & Q(~Exists(conflicts))
        ),
        Desk.ASKED: lambda: Q(status__in=OPEN_STATES) & Q(Exists(asked)),
    }
    return conditions[desk]()


def counts(applications: "ApplicationQuerySet", user: "User") -> dict[str, int]:
    """How many stand on each desk: one query."""
    wanted = {desk: Count("pk", filter=on_desk(desk, user)) for desk in Desk.values}
    counted: dict[str, int] = applications.aggregate(**wanted)
    return counted


def with_facts(applications: "ApplicationQuerySet") -> "ApplicationQuerySet":
    """Each with the answers last sent (`sent`) and a truth for each flag the database knows."""
    newest = ApplicationSnapshot.objects.filter(application=OuterRef("pk")).order_by("-number")
    return applications.annotate(
        sent=Subquery(newest.values("answers")[:1]),
        **{f"flag_{flag}": _truth(condition()) for flag, condition in _CONDITIONS.items()},
    )


def flags_of(application: Any) -> list[Flag]:
    """The flags of a row of `with_facts`."""
    found = [flag for flag in _CONDITIONS if getattr(application, f"flag_{flag}")]
    if is_free(str((application.sent or {}).get("work_email", ""))):
        found.append(Flag.FREE_MAIL)
    return found


def flagged(applications: "ApplicationQuerySet", flag: str) -> "ApplicationQuerySet":
    """Those that carry this flag."""
    if flag != Flag.FREE_MAIL:
        return applications.filter(_CONDITIONS[Flag(flag)]())
    # Thousands of domains are no condition for a database: one more query reads the addresses.
    rows = applications.order_by().values_list("pk", "answers__work_email")
    return applications.filter(pk__in=[pk for pk, address in rows if is_free(address or "")])


def next_for(user: "User", after: "Application | None" = None) -> "Application | None":
    """The oldest unclaimed application that this person may decide.

    Those that they returned themselves and that came back stand first, those that came back
    to another reviewer last. With `after`, the next one behind it by age; after the last the
    first comes again.
    """
    mine = Decision.objects.filter(application=OuterRef("pk"), reviewer=user)
    conflicts = Conflict.objects.filter(application=OuterRef("pk"), reviewer=user)
    waiting = (
        Application.objects.filter(status=Status.SUBMITTED, tier__in=_decided_by(user))
        .filter(~Exists(conflicts))
        .exclude(applicant=user)
    )
    if after is not None and after.submitted_at is not None:
        waiting = waiting.exclude(pk=after.pk)
        later = Q(submitted_at__gt=after.submitted_at)
        later |= Q(submitted_at=after.submitted_at, pk__gt=after.pk)
        if following := waiting.filter(later).order_by("submitted_at", "pk").first():
            return following
    theirs = _truth(Q(claimed_by__isnull=False) & ~Q(claimed_by=user))
    ranked = waiting.annotate(known=Exists(mine), theirs=theirs)
    return ranked.order_by("-known", "theirs", "submitted_at", "pk").first()


def _decided_by(user: "User") -> Any:
    """The tiers of which this person decides applications."""
    roles = RoleAssignment.objects.held(user, DECIDERS)
    if roles.filter(tier=None).exists():
        return Tier.objects.values("pk")
    return roles.values("tier")


def _truth(condition: Q) -> Case:
    return Case(
        When(condition, then=Value(True)),
        default=Value(False),
        output_field=models.BooleanField(),
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
    Flag.SECOND: _second,
    Flag.QUESTION: _question,
    Flag.AGAIN: _again,
    Flag.BEFORE: _before,
    Flag.COMMERCIAL: _commercial,
}
