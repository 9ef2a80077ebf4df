"""A person's request for a reviewed tier, and the moves it makes."""

import math
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from accounts import emails
from accounts.errors import (
    AlreadyHeld,
    InvalidValue,
    LicenceChanged,
    LimitReached,
    NotAllowed,
    TransitionRefused,
)
from accounts.models.audit import AuditEvent
from accounts.models.decision import Decision
from accounts.models.grant import Grant
from accounts.models.role import RoleAssignment
from accounts.moves import MOVES, OPEN_STATES, TERMINAL_STATES, Status
from accounts.reasons import RULES, Reason
from accounts.roles import APPLICATION_READERS, DECIDERS, GRANT_KEEPERS
from accounts.signals import application_decided
from accounts.tiers import AccessMode

if TYPE_CHECKING:
    from accounts.models import LicenceVersion, Tier, User

SUBMISSIONS_A_DAY = 3
OPEN_DRAFTS = 3
FORM_VERSION = 1
NOTE_LEAST = {Decision.Verdict.REJECT: 20}
NOTE_LEAST_FOR_OTHER = 60
#: What a lead reviewer may reopen; an open application is in the queue already.
REOPENABLE_STATES = frozenset({Status.APPROVED, Status.REJECTED, Status.WITHDRAWN})
REOPENED_REASON = "the application was reopened"


class ApplicationQuerySet(models.QuerySet["Application"]):
    def open(self) -> "ApplicationQuerySet":
        return self.filter(status__in=OPEN_STATES)

    def readable_by(self, user: "User") -> "ApplicationQuerySet":
        """Applications this person may read as staff: those of the tiers of their roles."""
        if not (user.is_active and user.is_staff):
            return self.none()
        roles = RoleAssignment.objects.held(user, APPLICATION_READERS)
        held = list(roles.values_list("tier_id", flat=True))
        visible = self.exclude(status=Status.DRAFT)
        if None in held:
            return visible
        return visible.filter(tier__in=held)

    @transaction.atomic
    def start(self, applicant: "User", tier: "Tier") -> "Application":
        """The applicant's draft for `tier`, made if there is none.

        Raises AlreadyHeld, NotAllowed or LimitReached, each with the next step.
        """
        _one_at_a_time(applicant)
        refuse_to_apply(applicant, tier)
        drafts = self.filter(applicant=applicant, status=Status.DRAFT)
        if draft := drafts.filter(tier=tier).first():
            return draft
        if drafts.count() >= OPEN_DRAFTS:
            raise LimitReached(f"at most {OPEN_DRAFTS} drafts may be open; finish one first")
        application = self.create(applicant=applicant, tier=tier, form_version=FORM_VERSION)
        AuditEvent.record("application.started", actor=applicant, target=application)
        return application

    @transaction.atomic
    def reopen(
        self, applicant: "User", tier: "Tier", *, by: "User", reason: str = ""
    ) -> "Application":
        """Put a decided request back in the queue, and take the access that came of it.

        The new application carries its predecessor's last snapshot, or none where access was
        given without an application. Raises NotAllowed unless `by` is a lead reviewer of the
        tier, AlreadyHeld while an application is open, TransitionRefused when there is
        nothing to reopen.
        """
        if tier.access_mode is not AccessMode.REVIEWED:
            raise TransitionRefused(f"nobody applies for {tier}; revoke the grant instead")
        if by.pk == applicant.pk:
            raise NotAllowed("nobody decides their own application")
        if not RoleAssignment.objects.covers(by, GRANT_KEEPERS, tier):
            raise NotAllowed(f"you are no lead reviewer of {tier}")
        _one_at_a_time(applicant)
        if open_one := self.open().filter(applicant=applicant, tier=tier).first():
            raise AlreadyHeld(f"{open_one.reference} is open already")
        decided = self.filter(applicant=applicant, tier=tier, status__in=REOPENABLE_STATES)
        before = decided.order_by("-submitted_at", "-pk").first()
        grant = Grant.objects.filter(user=applicant, tier=tier).order_by("-starts_at").first()
        if before is None and grant is None:
            raise TransitionRefused(f"{applicant} has neither applied for {tier} nor held it")
        ended = _end_access(applicant, tier, by=by, reason=reason or REOPENED_REASON)
        reopened = self._successor(applicant, tier, before)
        details = {"predecessor": before.reference if before else "", "reason": reason}
        AuditEvent.record("application.reopen", actor=by, target=reopened, details=details)
        emails.application_reopened(reopened, ended)
        return reopened

    def _successor(
        self, applicant: "User", tier: "Tier", before: "Application | None"
    ) -> "Application":
        """A submitted application with the answers last seen of its predecessor."""
        snapshot = before.latest_snapshot if before else None
        successor = self.create(
            applicant=applicant,
            tier=tier,
            kind=Application.Kind.REOPENED,
            predecessor=before,
            form_version=before.form_version if before else FORM_VERSION,
            status=Status.SUBMITTED,
            answers=snapshot.answers if snapshot else {},
            submitted_at=timezone.now(),
        )
        if snapshot is not None:
            successor.snapshots.create(
                number=1, answers=snapshot.answers, licence_version=snapshot.licence_version
            )
        return successor


def _end_access(applicant: "User", tier: "Tier", *, by: "User", reason: str) -> Grant | None:
    """Revoke what this person holds of the tier; the grant that ended, if any."""
    held = Grant.objects.filter(user=applicant, tier=tier)
    held.expire_due()
    grant = held.unended().first()
    if grant is not None:
        grant.revoke(by=by, reason=reason)
    return grant


def _one_at_a_time(applicant: "User") -> None:
    """Let two windows of one person wait for each other, so that limits count both."""
    get_user_model().objects.select_for_update().get(pk=applicant.pk)


def refuse_to_apply(applicant: "User", tier: "Tier") -> None:
    """Raise what keeps this person from applying for this tier now, if anything does."""
    if applicant.suspended_at is not None or not applicant.is_active:
        raise NotAllowed("your account is suspended; write to the portal's staff")
    if not applicant.has_confirmed_address:
        raise NotAllowed("confirm your e-mail address first; see your account page")
    if Grant.objects.unended().filter(user=applicant, tier=tier).live().exists():
        raise AlreadyHeld(f"you already hold access to {tier}; see My access")
    if open_one := Application.objects.open().filter(applicant=applicant, tier=tier).first():
        raise AlreadyHeld(f"your application {open_one.reference} for {tier} is open already")


class Application(models.Model):
    """One ask by one person for one reviewed tier. Applications are history; grants are rights."""

    class Kind(models.TextChoices):
        NEW = "new", "New"
        REOPENED = "reopened", "Reopened by staff"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    applicant = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="applications"
    )
    tier = models.ForeignKey("accounts.Tier", models.PROTECT, related_name="applications")
    form_version = models.PositiveSmallIntegerField(default=FORM_VERSION)
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.NEW)
    predecessor = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="successors"
    )
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.DRAFT)
    answers = models.JSONField(default=dict, blank=True)
    answers_version = models.PositiveIntegerField(default=0)
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    claimed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True, blank=True, help_text="First submission")
    decided_at = models.DateTimeField(null=True, blank=True)

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
        ]
        indexes = [models.Index(fields=["status", "submitted_at"], name="application_queue")]

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
    def is_terminal(self) -> bool:
        return self.status in TERMINAL_STATES

    @property
    def latest_snapshot(self) -> "ApplicationSnapshot | None":
        return self.snapshots.order_by("-number").first()

    # -- the applicant's moves ---------------------------------------------------------

    @transaction.atomic
    def save_answers(self, answers: dict[str, Any], *, by: "User", seen_version: int) -> None:
        """Keep what was typed, valid or not; only a draft or a returned application takes it.

        Raises TransitionRefused elsewhere, and when another window saved since `seen_version`.
        """
        self._demand_applicant(by)
        editable = Application.objects.filter(
            pk=self.pk, status__in=[Status.DRAFT, Status.RETURNED], answers_version=seen_version
        )
        if not editable.update(answers=answers, answers_version=seen_version + 1):
            self.refresh_from_db()
            if self.status in {Status.DRAFT, Status.RETURNED}:
                raise TransitionRefused(
                    "this application was changed in another window; reload the page to see it"
                )
            raise TransitionRefused(f"{self.reference} is {self.get_status_display().lower()}")
        self.answers, self.answers_version = answers, seen_version + 1

    @transaction.atomic
    def submit(self, *, by: "User", licence_sha256: str) -> "ApplicationSnapshot":
        """Send a draft, or a returned application again: freeze the answers as a snapshot.

        Raises LicenceChanged when the text that was read is not in force any more,
        LimitReached past the daily limit, AlreadyHeld when another window was quicker.
        """
        self._demand_applicant(by)
        move = "resubmit" if self.status == Status.RETURNED else "submit"
        _one_at_a_time(by)
        if move == "submit":
            refuse_to_apply(by, self.tier)
            self._demand_room_today(by)
        version = self.tier.licence.in_force()
        if version is None or version.text_sha256 != licence_sha256:
            raise LicenceChanged("the licence has changed since you read it; read the new text")
        now = timezone.now()
        try:
            with transaction.atomic():
                self._become(move, by=by, submitted_at=self.submitted_at or now)
        except IntegrityError as error:
            raise AlreadyHeld(f"another application of yours for {self.tier} is open") from error
        snapshot = self.snapshots.create(
            number=self.snapshots.count() + 1, answers=self.answers, licence_version=version
        )
        AuditEvent.record(
            "licence.accepted",
            actor=by,
            target=self,
            details={"version": version.version, "sha256": version.text_sha256},
        )
        emails.application_received(self)
        return snapshot

    @transaction.atomic
    def withdraw(self, *, by: "User", reason: str = "") -> None:
        self._demand_applicant(by)
        self._become("withdraw", by=by, details={"reason": reason}, decided_at=timezone.now())
        emails.application_withdrawn(self)

    # -- the reviewer's moves ----------------------------------------------------------

    @transaction.atomic
    def claim(self, *, by: "User") -> None:
        """Take it for review, so that no two people work on it."""
        self._demand_reviewer(by)
        self._become("claim", by=by, claimed_by=by, claimed_at=timezone.now())

    @transaction.atomic
    def release(self, *, by: "User") -> None:
        self._demand_claimer(by)
        self._become("release", by=by, claimed_by=None, claimed_at=None)

    @transaction.atomic
    def approve(
        self,
        *,
        by: "User",
        until: datetime | None = None,
        note: str = "",
        internal_note: str = "",
    ) -> Grant:
        """Give the applicant a grant until `until`, else for the tier's term; claims on the way."""
        self._take(by)
        until = until or timezone.now() + timedelta(days=self.tier.term_days)
        self._decide("approve", by, Decision.Verdict.APPROVE, [], note, internal_note)
        grant = Grant.objects.give(
            self.applicant,
            self.tier,
            licence_version=self._accepted_licence(),
            until=until,
            origin=Grant.Origin.APPLICATION,
            by=by,
            application=self,
        )
        emails.application_approved(self, grant)
        self._tell()
        return grant

    @transaction.atomic
    def reject(
        self, *, by: "User", reasons: list[str], note: str, internal_note: str = ""
    ) -> Decision:
        """Refuse with at least one reason code and a note of 20 characters; claims on the way."""
        self._take(by)
        decision = self._decide("reject", by, Decision.Verdict.REJECT, reasons, note, internal_note)
        emails.application_rejected(self, decision)
        self._tell()
        return decision

    @transaction.atomic
    def return_for_changes(
        self, *, by: "User", reasons: list[str], note: str, internal_note: str = ""
    ) -> Decision:
        """Ask the applicant to change something, and stop the clock meanwhile."""
        self._take(by)
        decision = self._decide("return", by, Decision.Verdict.RETURN, reasons, note, internal_note)
        emails.application_returned(self, decision)
        return decision

    # -- how every move is made --------------------------------------------------------

    def _become(
        self, move: str, *, by: "User", details: dict[str, Any] | None = None, **changes: Any
    ) -> None:
        """Make one move of the table: the guarded update lets one of two hurried people win."""
        leaves, reaches = MOVES[move].leaves, MOVES[move].reaches
        movable = Application.objects.filter(pk=self.pk, status__in=leaves)
        if move in {"release", "approve", "reject", "return"}:
            movable = movable.filter(claimed_by=self.claimed_by)
        if not movable.update(status=reaches, **changes):
            self.refresh_from_db()
            now = self.get_status_display().lower()
            raise TransitionRefused(f"{self.reference} is {now}: it cannot {move} from there")
        self.status = reaches
        for name, value in changes.items():
            setattr(self, name, value)
        AuditEvent.record(f"application.{move}", actor=by, target=self, details=details)

    def _decide(
        self,
        move: str,
        by: "User",
        verdict: Decision.Verdict,
        reasons: list[str],
        note: str,
        internal_note: str,
    ) -> Decision:
        check_reasons(move, verdict, reasons, note)
        snapshot = self.latest_snapshot
        if snapshot is None and self.kind != self.Kind.REOPENED:
            raise TransitionRefused(f"{self.reference} was never submitted")
        changes = {} if move == "return" else {"decided_at": timezone.now()}
        self._become(move, by=by, details={"reasons": reasons}, **changes)
        return self.decisions.create(
            snapshot=snapshot,
            reviewer=by,
            verdict=verdict,
            reasons=reasons,
            note=note,
            internal_note=internal_note,
        )

    def _take(self, by: "User") -> None:
        """Claim on the way to a decision, unless this reviewer has it already."""
        self.refresh_from_db()
        if self.status == Status.SUBMITTED:
            self.claim(by=by)
        else:
            self._demand_claimer(by)

    def _tell(self) -> None:
        transaction.on_commit(
            lambda: application_decided.send_robust(Application, application=self)
        )

    def _accepted_licence(self) -> "LicenceVersion":
        """The text accepted; the one in force where access was first given without asking."""
        snapshot = self.latest_snapshot
        if snapshot is not None:
            return snapshot.licence_version
        version = self.tier.licence.in_force()
        if version is None:
            raise InvalidValue(f"the licence {self.tier.licence} has no version in force")
        return version

    def _demand_applicant(self, by: "User") -> None:
        if by.pk != self.applicant_id:
            raise NotAllowed("only the applicant may do that")

    def _demand_reviewer(self, by: "User") -> None:
        if by.pk == self.applicant_id:
            raise NotAllowed("nobody decides their own application")
        if not RoleAssignment.objects.covers(by, DECIDERS, self.tier):
            raise NotAllowed(f"you hold no reviewer role for {self.tier}")

    def _demand_claimer(self, by: "User") -> None:
        self._demand_reviewer(by)
        if self.status == Status.IN_REVIEW and self.claimed_by_id != by.pk:
            raise NotAllowed(f"{self.claimed_by} has claimed {self.reference}")

    def _demand_room_today(self, by: "User") -> None:
        since = timezone.now() - timedelta(days=1)
        own = Application.objects.filter(applicant=by).exclude(kind=self.Kind.REOPENED)
        sent = own.filter(submitted_at__gte=since).order_by("-submitted_at")
        times = sent.values_list("submitted_at", flat=True)[:SUBMISSIONS_A_DAY]
        newest = [at for at in times if at is not None]
        if len(newest) == SUBMISSIONS_A_DAY:
            wait = math.ceil((newest[-1] - since).total_seconds())
            message = f"at most {SUBMISSIONS_A_DAY} applications a day; try tomorrow"
            raise LimitReached(message, wait=wait)


def check_reasons(move: str, verdict: Decision.Verdict, reasons: list[str], note: str) -> None:
    """Raise InvalidValue unless the reasons and the note fit the verdict."""
    if verdict is Decision.Verdict.APPROVE:
        return
    if not reasons:
        raise InvalidValue("choose at least one reason")
    for code in reasons:
        if code not in RULES or move not in RULES[code].actions:
            raise InvalidValue(f"the reason {code!r} does not go with {move}")
    if reasons == [Reason.UNSPECIFIED]:  # set by the Hub's call, whose text may be empty
        return
    least = NOTE_LEAST.get(verdict, 0)
    if Reason.OTHER in reasons:
        least = NOTE_LEAST_FOR_OTHER
    if len(note.strip()) < least:
        raise InvalidValue(f"the note to the applicant needs at least {least} characters")


class ApplicationSnapshot(models.Model):
    """The answers as they were submitted, with the licence text accepted; never edited."""

    application = models.ForeignKey(Application, models.PROTECT, related_name="snapshots")
    number = models.PositiveSmallIntegerField()
    answers = models.JSONField()
    licence_version = models.ForeignKey("accounts.LicenceVersion", models.PROTECT)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(
                fields=["application", "number"], name="snapshots_are_numbered_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.application} as submitted the {self.number}. time"
