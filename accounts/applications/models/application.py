"""The application: fields, permissions, and the only method that changes its state."""

import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.applications.models.snapshot import ApplicationSnapshot
from accounts.applications.transition_table import (
    EDITABLE_STATES,
    OPEN_STATES,
    TERMINAL_STATES,
    TRANSITIONS,
    WAITING_STATES,
    Actor,
    Status,
)
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models.event import AuditEvent
from accounts.errors import NotAllowed, TransitionRefused
from accounts.review import working_days
from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment, in_tiers
from accounts.roles.permissions import APPLICATION_READERS, DECIDERS, GRANT_MANAGERS, Role
from accounts.users.models import User

#: Transitions that fail if the claim or the first approval has changed since it was read.
_BY_CLAIM = frozenset({"release", "decide", "return", "approve_first", "approve", "reject"})
#: Transitions that end, and clear, a pending decision.
_ENDS_WAIT = frozenset({"undo", "return", "approve", "reject"})


#: The fields of an application without a pending decision.
UNDECIDED: dict[str, Any] = {"pending_until": None, "pending_by": None, "pending_verdict": {}}


class ApplicationQuerySet(models.QuerySet["Application"]):
    def open(self) -> "ApplicationQuerySet":
        return self.filter(status__in=OPEN_STATES)

    def waiting(self) -> "ApplicationQuerySet":
        """Applications that wait for staff, longest waiting first."""
        return self.filter(status__in=WAITING_STATES).order_by("submitted_at", "pk")

    def overdue(self) -> "ApplicationQuerySet":
        """Applications that still wait after the day on which a decision was due."""
        return self.waiting().filter(due_on__lt=working_days.utc_date(timezone.now()))

    def readable_by(self, user: User) -> "ApplicationQuerySet":
        """Applications that `user` may read as staff: those of the tiers of their roles."""
        return self._of_tiers(user, APPLICATION_READERS)

    def decidable_by(self, user: User) -> "ApplicationQuerySet":
        """Applications that `user` may decide: not their own, none with a conflict of interest."""
        readable = self._of_tiers(user, DECIDERS)
        return readable.exclude(applicant=user).exclude(conflicts__reviewer=user)

    def _of_tiers(self, user: User, roles: frozenset[Role]) -> "ApplicationQuerySet":
        if not is_active_staff(user):
            return self.none()
        tiers = RoleAssignment.objects.held(user, roles).tiers()
        return in_tiers(self.exclude(status=Status.DRAFT), tiers)


class Application(models.Model):
    """A person's request for a reviewed tier. Only the resulting grant gives access."""

    class Kind(models.TextChoices):
        NEW = "new", "New"
        REOPENED = "reopened", "Reopened by staff"
        APPEAL = "appeal", "Appeal"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    applicant = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="applications"
    )
    tier = models.ForeignKey("accounts.Tier", models.PROTECT, related_name="applications")
    #: The version of the form; a draft keeps the one with which it was started.
    form = models.ForeignKey("accounts.FormVersion", models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.NEW)
    predecessor = models.ForeignKey(
        "accounts.Application", models.PROTECT, null=True, blank=True, related_name="successors"
    )
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.DRAFT)
    answers = models.JSONField(default=dict, blank=True)
    answers_version = models.PositiveIntegerField(default=0)
    saved_at = models.DateTimeField(default=timezone.now, help_text="When answers were last saved")
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    claimed_at = models.DateTimeField(null=True, blank=True)
    #: When the claimer last acted on the application; idle claims are released.
    worked_at = models.DateTimeField(null=True, blank=True)
    #: The first of two approvals, while the second is awaited.
    first_approval = models.ForeignKey(
        "accounts.Decision", models.PROTECT, null=True, blank=True, related_name="+"
    )
    #: A pending decision: when it takes effect, its reviewer, and its `Verdict`.
    pending_until = models.DateTimeField(null=True, blank=True)
    pending_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    #: Kept when the sweep undoes a decision, so that the reviewer can reuse its texts.
    pending_verdict = models.JSONField(default=dict, db_default={}, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True, blank=True, help_text="First submission")
    returned_at = models.DateTimeField(null=True, blank=True)
    #: When staff first answered: returned it, approved it or rejected it.
    answered_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    #: In the applicant's words; erased with the answers.
    withdrawn_because = models.TextField(blank=True)
    #: Why the rejection of the predecessor is wrong, for an appeal; erased with the answers.
    appeal_text = models.TextField(blank=True, db_default="")
    #: When the application was reduced to reason, dates, tier and country.
    reduced_at = models.DateTimeField(null=True, blank=True)
    #: The day by which a decision is due; None while the applicant has to act.
    due_on = models.DateField(null=True, blank=True)
    #: Working days left when it was returned; negative if it was overdue.
    days_left = models.SmallIntegerField(null=True, blank=True)

    objects = ApplicationQuerySet.as_manager()

    class Meta:
        ordering = ["submitted_at", "pk"]
        permissions = [("review_application", "Can claim and decide applications")]
        constraints = [
            models.UniqueConstraint(
                fields=["applicant", "tier"],
                condition=models.Q(status__in=["submitted", "in_review", "returned"]),
                name="one_open_application_per_tier",
            ),
            models.UniqueConstraint(
                fields=["applicant", "tier"],
                condition=models.Q(status="draft"),
                name="one_draft_per_tier",
            ),
            models.UniqueConstraint(
                fields=["predecessor"],
                condition=models.Q(kind="appeal"),
                name="one_appeal_per_rejection",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "submitted_at"], name="application_queue"),
            models.Index(fields=["status", "due_on"], name="application_due"),
            models.Index(fields=["tier", "answered_at"], name="application_answers"),
            models.Index(
                fields=["submitted_at", "id"],
                condition=models.Q(status__in=["submitted", "in_review"]),
                name="waiting_application",
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """The reference for people, such as `A-2026-00042`."""
        year = (self.created_at or timezone.now()).year
        return f"A-{year}-{self.pk:05d}"

    @property
    def is_reopened(self) -> bool:
        return self.kind == self.Kind.REOPENED

    @property
    def is_appeal(self) -> bool:
        return self.kind == self.Kind.APPEAL

    @property
    def state_words(self) -> str:
        """The state as used in a sentence, such as `in review`."""
        return Status(self.status).label.lower()

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATES

    @property
    def is_waiting(self) -> bool:
        """True while staff have to act, not the applicant."""
        return self.status in WAITING_STATES

    @property
    def last_heard_at(self) -> datetime:
        """The time of the return or of the last save, whichever is later."""
        return max(self.returned_at or self.saved_at, self.saved_at)

    @property
    def is_editable(self) -> bool:
        return self.status in EDITABLE_STATES

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL_STATES

    @property
    def latest_snapshot(self) -> ApplicationSnapshot | None:
        return self.snapshots.order_by("-number").first()

    @property
    def submitted_answers(self) -> dict[str, Any]:
        """The last submitted answers; empty before the first submission."""
        snapshot = self.latest_snapshot
        return snapshot.answers if snapshot else {}

    def actors(self, by: User | None) -> frozenset[Actor]:
        """Return the roles of `by` for this application; None is the system, such as a sweep."""
        if by is None:
            return frozenset({Actor.SYSTEM})
        if by.pk == self.applicant_id:
            return frozenset({Actor.MEMBER, Actor.APPLICANT})
        found = {Actor.MEMBER}
        if RoleAssignment.objects.covers(by, DECIDERS, self.tier) and not self.is_in_conflict(by):
            found.add(Actor.REVIEWER)
            if self.status == Status.IN_REVIEW and self.claimed_by_id == by.pk:
                found.add(Actor.CLAIMER)
            if self.pending_until is not None and self.pending_by_id == by.pk:
                found.add(Actor.DECIDER)
            if self.first_approval is not None and self.first_approval.reviewer_id != by.pk:
                found.add(Actor.SECOND)
        if RoleAssignment.objects.covers(by, GRANT_MANAGERS, self.tier):
            found.add(Actor.LEAD)
        return frozenset(found)

    def require(self, name: str, by: User | None) -> None:
        """Raise NotAllowed, with the reason, unless `by` may make this transition."""
        allowed = TRANSITIONS[name].by
        if self.actors(by) & allowed:
            return
        raise NotAllowed(self._refusal(name, by))

    def _refusal(self, name: str, by: User | None) -> str:
        allowed = TRANSITIONS[name].by
        if by is None:
            return f"the system may not {name} an application"
        if allowed <= {Actor.APPLICANT, Actor.MEMBER}:
            return "only the applicant may do that"
        if by.pk == self.applicant_id:
            return "you cannot decide your own application"
        if allowed == {Actor.LEAD}:
            return f"you are not a lead reviewer of {self.tier}"
        if allowed == {Actor.DECIDER}:
            return f"only {self.pending_by}, whose decision it is, can undo it"
        if not RoleAssignment.objects.covers(by, DECIDERS, self.tier):
            return f"you do not have a reviewer role for {self.tier}"
        if conflict := self.conflicts.filter(reviewer=by).first():
            return conflict.refusal
        if self.claimed_by is None:
            return f"claim {self.reference} first"
        return f"{self.claimed_by} has claimed {self.reference}"

    def may_review(self, person: User) -> bool:
        """True if `person` may claim the application, now or once it is unclaimed."""
        return Actor.REVIEWER in self.actors(person)

    def require_reviewer(self, by: User) -> None:
        """Raise NotAllowed, with the reason, unless `by` may review the application."""
        if not self.may_review(by):
            raise NotAllowed(self._refusal("claim", by))

    def require_open(self) -> None:
        """Raise TransitionRefused unless the application is open."""
        if not self.is_open:
            raise TransitionRefused(f"{self.reference} is {self.state_words}")

    def require_undecided(self) -> None:
        """Raise TransitionRefused while a decision is pending."""
        if self.pending_until is not None:
            raise TransitionRefused(
                f"{self.pending_by} decided {self.reference}; until {self.pending_until:%H:%M:%S} "
                "UTC only they can undo it"
            )

    def is_in_conflict(self, by: User) -> bool:
        """True if `by` declared a conflict, or rejected the application that this one appeals."""
        return self.conflicts.filter(reviewer=by).exists()

    def transition(
        self, name: str, *, by: User | None, details: dict[str, Any] | None = None, **changes: Any
    ) -> None:
        """Make one transition of the table; of two concurrent ones, only one succeeds.

        No other code changes the state. Raises TransitionRefused.
        """
        leaves, reaches = TRANSITIONS[name].leaves, TRANSITIONS[name].reaches
        allowed = Application.objects.filter(pk=self.pk, status__in=leaves)
        if name in _BY_CLAIM:
            allowed = allowed.filter(
                claimed_by=self.claimed_by_id, first_approval=self.first_approval_id
            )
        if name in _ENDS_WAIT:
            allowed = allowed.filter(pending_until=self.pending_until)
            changes = UNDECIDED | changes
        elif name == "withdraw":
            changes |= UNDECIDED
        else:
            allowed = allowed.filter(pending_until=None)
        if not allowed.update(status=reaches, **changes):
            self.refresh_from_db()
            self.require_undecided()
            now, verb = self.state_words, name.replace("_", " ")
            raise TransitionRefused(f"{self.reference} is {now}: it cannot {verb} from there")
        self.status = reaches
        for field, value in changes.items():
            setattr(self, field, value)
        AuditEvent.record(
            AccountsEvent.of_application(name), actor=by, target=self, details=details
        )
