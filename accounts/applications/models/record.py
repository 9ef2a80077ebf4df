"""What an application holds, who is what to it, and the one way in which its state changes."""

import uuid
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from accounts.applications.models.queryset import ApplicationQuerySet
from accounts.applications.state_machine import (
    EDITABLE_STATES,
    MOVES,
    OPEN_STATES,
    TERMINAL_STATES,
    WAITING_STATES,
    Actor,
    Status,
)
from accounts.audit.models.event import AuditEvent
from accounts.errors import NotAllowed, TransitionRefused
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import DECIDERS, GRANT_KEEPERS

if TYPE_CHECKING:
    from accounts.applications.models import ApplicationSnapshot
    from accounts.users.models import User


#: Moves that rest on who has claimed it, and on whose approval stands.
_BY_CLAIM = frozenset({"release", "return", "approve_first", "approve", "reject"})
#: What a claim leaves behind when it ends.
UNCLAIMED: dict[str, Any] = {"claimed_by": None, "claimed_at": None, "worked_at": None}


class Kind(models.TextChoices):
    NEW = "new", "New"
    REOPENED = "reopened", "Reopened by staff"


class ApplicationRecord(models.Model):
    """The fields, and `_become`: the only code that writes a state."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    applicant = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="applications"
    )
    tier = models.ForeignKey("accounts.Tier", models.PROTECT, related_name="applications")
    #: The questions that it answers; a draft keeps those it was begun with.
    form = models.ForeignKey("accounts.FormVersion", models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.NEW)
    predecessor = models.ForeignKey(
        "accounts.Application", models.PROTECT, null=True, blank=True, related_name="successors"
    )
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.DRAFT)
    answers = models.JSONField(default=dict, blank=True)
    answers_version = models.PositiveIntegerField(default=0)
    saved_at = models.DateTimeField(default=timezone.now, help_text="Answers last kept")
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    claimed_at = models.DateTimeField(null=True, blank=True)
    #: When its claimer last did anything with it; an idle claim ends.
    worked_at = models.DateTimeField(null=True, blank=True)
    #: The approval that waits for a second one, on a tier that asks for two.
    first_approval = models.ForeignKey(
        "accounts.Decision", models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True, blank=True, help_text="First submission")
    returned_at = models.DateTimeField(null=True, blank=True)
    #: When staff first answered: returned it, approved it or rejected it.
    answered_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    #: In the applicant's words; erased with the answers.
    withdrawn_because = models.TextField(blank=True)
    #: When the answers were reduced to reason, dates, tier and country.
    reduced_at = models.DateTimeField(null=True, blank=True)
    #: The day by which a first decision is due; none while the clock rests.
    due_on = models.DateField(null=True, blank=True)
    #: Working days left when it was returned; negative when it was overdue.
    days_left = models.SmallIntegerField(null=True, blank=True)

    objects = ApplicationQuerySet.as_manager()

    class Meta:
        abstract = True

    if TYPE_CHECKING:  # the records that point here
        snapshots: Any
        attachments: Any
        decisions: Any
        remarks: Any
        consultations: Any
        conflicts: Any

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """What a person quotes: `A-2026-00042`."""
        year = (self.created_at or timezone.now()).year
        return f"A-{year}-{self.pk:05d}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATES

    @property
    def is_waiting(self) -> bool:
        """Whether staff, not the applicant, has the next move."""
        return self.status in WAITING_STATES

    @property
    def last_heard_at(self) -> datetime:
        """When its applicant last did something; whatever they save breaks their silence."""
        return max(self.returned_at or self.saved_at, self.saved_at)

    @property
    def is_editable(self) -> bool:
        return self.status in EDITABLE_STATES

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL_STATES

    @property
    def latest_snapshot(self) -> "ApplicationSnapshot | None":
        newest: ApplicationSnapshot | None = self.snapshots.order_by("-number").first()
        return newest

    # -- who may -----------------------------------------------------------------------

    def actors(self, by: "User | None") -> frozenset[Actor]:
        """What `by` is to this application; None is nobody's hand, such as a sweep."""
        if by is None:
            return frozenset({Actor.SYSTEM})
        if by.pk == self.applicant_id:
            return frozenset({Actor.MEMBER, Actor.APPLICANT})
        found = {Actor.MEMBER}
        if RoleAssignment.objects.covers(by, DECIDERS, self.tier) and not self._in_conflict(by):
            found.add(Actor.REVIEWER)
            if self.status == Status.IN_REVIEW and self.claimed_by_id == by.pk:
                found.add(Actor.CLAIMER)
            if self.first_approval is not None and self.first_approval.reviewer_id != by.pk:
                found.add(Actor.SECOND)
        if RoleAssignment.objects.covers(by, GRANT_KEEPERS, self.tier):
            found.add(Actor.LEAD)
        return frozenset(found)

    def demand(self, move: str, by: "User | None") -> None:
        """Raise NotAllowed, with the reason, unless `by` is one who makes this move."""
        allowed = MOVES[move].by
        if self.actors(by) & allowed:
            return
        raise NotAllowed(self._why_not(move, by))

    def _why_not(self, move: str, by: "User | None") -> str:
        allowed = MOVES[move].by
        if by is None:
            return f"nobody's hand may {move} an application"
        if allowed <= {Actor.APPLICANT, Actor.MEMBER}:
            return "only the applicant may do that"
        if by.pk == self.applicant_id:
            return "nobody decides their own application"
        if allowed == {Actor.LEAD}:
            return f"you are no lead reviewer of {self.tier}"
        if not RoleAssignment.objects.covers(by, DECIDERS, self.tier):
            return f"you hold no reviewer role for {self.tier}"
        if self._in_conflict(by):
            return f"you declared a conflict of interest in {self.reference}"
        if self.claimed_by is None:
            return f"claim {self.reference} first"
        return f"{self.claimed_by} has claimed {self.reference}"

    def _in_conflict(self, by: "User") -> bool:
        return bool(self.conflicts.filter(reviewer=by).exists())

    # -- how every move is made --------------------------------------------------------

    def _become(
        self, move: str, *, by: "User | None", details: dict[str, Any] | None = None, **changes: Any
    ) -> None:
        """Make one move of the table: the guarded update lets one of two hurried people win."""
        leaves, reaches = MOVES[move].leaves, MOVES[move].reaches
        movable = type(self)._default_manager.filter(pk=self.pk, status__in=leaves)
        if move in _BY_CLAIM:  # what another has claimed or approved meanwhile is theirs
            movable = movable.filter(
                claimed_by=self.claimed_by_id, first_approval=self.first_approval_id
            )
        if not movable.update(status=reaches, **changes):
            self.refresh_from_db()
            now = Status(self.status).label.lower()
            raise TransitionRefused(
                f"{self.reference} is {now}: it cannot {_said(move)} from there"
            )
        self.status = reaches
        for name, value in changes.items():
            setattr(self, name, value)
        AuditEvent.record(f"application.{move}", actor=by, target=self, details=details)


def _said(move: str) -> str:
    return move.replace("_", " ")


P = ParamSpec("P")
R = TypeVar("R")


def transition(
    method: Callable[Concatenate[Any, P], R],
) -> Callable[Concatenate[Any, P], R]:
    """Run a move in a transaction; a refused one leaves no trace but an audit row.

    The row is written after the roll-back. Where a caller holds a transaction of its own
    around this one and gives it up, the row goes with it.
    """

    @wraps(method)
    def run(self: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with transaction.atomic():
                return method(self, *args, **kwargs)
        except (TransitionRefused, NotAllowed) as error:
            AuditEvent.record(
                f"application.{method.__name__}",
                actor=kwargs.get("by"),  # type: ignore[arg-type]
                target=self,
                result=error.code,
                details={"status": self.status},
            )
            raise

    return run  # type: ignore[return-value]
