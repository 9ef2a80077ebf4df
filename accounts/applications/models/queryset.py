"""Which applications, and how one comes to be."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from accounts.applications.models.eligibility import refuse_to_apply
from accounts.applications.models.form import FormVersion
from accounts.applications.state_machine import MOVES, OPEN_STATES, WAITING_STATES, Status
from accounts.audit.models.event import AuditEvent
from accounts.background.locks import take_turn
from accounts.errors import AlreadyHeld, LimitReached, NotAllowed, TransitionRefused
from accounts.grants.models import Grant
from accounts.mail import messages
from accounts.review import working_days
from accounts.roles.active_staff import acts_as_staff
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import APPLICATION_READERS, DECIDERS, GRANT_KEEPERS, Role
from accounts.tiers.access_modes import AccessMode

if TYPE_CHECKING:
    from accounts.applications.models import Application
    from accounts.applications.models.record import ApplicationRecord
    from accounts.tiers.models import Tier
    from accounts.users.models import User

REOPENED_REASON = "the application was reopened"


class ApplicationQuerySet(models.QuerySet["Application"]):
    def open(self) -> "ApplicationQuerySet":
        return self.filter(status__in=OPEN_STATES)

    def waiting(self) -> "ApplicationQuerySet":
        """What staff has on its desk, the longest waiting first."""
        return self.filter(status__in=WAITING_STATES).order_by("submitted_at", "pk")

    def overdue(self) -> "ApplicationQuerySet":
        """Waiting beyond the day by which a first decision was due."""
        return self.waiting().filter(due_on__lt=working_days.day_of(timezone.now()))

    def readable_by(self, user: "User") -> "ApplicationQuerySet":
        """Applications this person may read as staff: those of the tiers of their roles."""
        return self._of_tiers(user, APPLICATION_READERS)

    def decidable_by(self, user: "User") -> "ApplicationQuerySet":
        """Applications that this person could decide: no own one, none in conflict."""
        readable = self._of_tiers(user, DECIDERS)
        return readable.exclude(applicant=user).exclude(conflicts__reviewer=user)

    def _of_tiers(self, user: "User", roles: frozenset[Role]) -> "ApplicationQuerySet":
        if not acts_as_staff(user):
            return self.none()
        assigned = RoleAssignment.objects.held(user, roles)
        held = list(assigned.values_list("tier_id", flat=True))
        visible = self.exclude(status=Status.DRAFT)
        if None in held:
            return visible
        return visible.filter(tier__in=held)

    @transaction.atomic
    def start(
        self, applicant: "User", tier: "Tier", *, predecessor: "ApplicationRecord | None" = None
    ) -> "Application":
        """The applicant's draft for `tier`, made if there is none.

        With a predecessor a new draft carries the answers last sent there; the licence is
        accepted anew. Raises AlreadyHeld, NotAllowed or LimitReached, each with the next step.
        """
        take_turn(applicant)
        refuse_to_apply(applicant, tier)
        drafts = self.filter(applicant=applicant, status=Status.DRAFT)
        if draft := drafts.filter(tier=tier).first():
            return draft
        if drafts.count() >= settings.OPEN_DRAFTS:
            raise LimitReached(
                f"at most {settings.OPEN_DRAFTS} drafts may be open; finish one first"
            )
        form = FormVersion.objects.current(tier)
        answers = form.mapped(_last_answers(predecessor)) if predecessor else {}
        application = self.create(
            applicant=applicant, tier=tier, form=form, predecessor=predecessor, answers=answers
        )
        details = {"predecessor": predecessor.reference} if predecessor else {}
        AuditEvent.record("application.start", actor=applicant, target=application, details=details)
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
        take_turn(applicant)
        applicant.refresh_from_db(fields=["erased_at"])
        if applicant.erased_at is not None:
            raise TransitionRefused("this account was erased; nobody is left to decide about")
        if open_one := self.open().filter(applicant=applicant, tier=tier).first():
            raise AlreadyHeld(f"{open_one.reference} is open already")
        decided = self.filter(applicant=applicant, tier=tier, status__in=MOVES["reopen"].leaves)
        before = decided.order_by("-submitted_at", "-pk").first()
        grant = Grant.objects.filter(user=applicant, tier=tier).order_by("-starts_at").first()
        if before is None and grant is None:
            raise TransitionRefused(f"{applicant} has neither applied for {tier} nor held it")
        ended = _end_access(applicant, tier, by=by, reason=reason or REOPENED_REASON)
        reopened = self._successor(applicant, tier, before)
        details = {"predecessor": before.reference if before else "", "reason": reason}
        AuditEvent.record("application.reopen", actor=by, target=reopened, details=details)
        messages.application_reopened(reopened, ended)
        return reopened

    def _successor(
        self, applicant: "User", tier: "Tier", before: "Application | None"
    ) -> "Application":
        """A submitted application with the answers last seen of its predecessor."""
        snapshot = before.latest_snapshot if before else None
        now = timezone.now()
        successor = self.create(
            applicant=applicant,
            tier=tier,
            kind="reopened",
            predecessor=before,
            form=before.form if before else FormVersion.objects.current(tier),
            status=Status.SUBMITTED,
            answers=snapshot.answers if snapshot else {},
            submitted_at=now,
            due_on=working_days.add(working_days.day_of(now), settings.ANSWER_DAYS),
        )
        if snapshot is not None:
            successor.snapshots.create(
                number=1, answers=snapshot.answers, licence_version=snapshot.licence_version
            )
        return successor


def _last_answers(application: "ApplicationRecord") -> dict[str, object]:
    """What was last sent, without the acceptance, which is given anew each time."""
    snapshot = application.latest_snapshot
    answers = snapshot.answers if snapshot else application.answers
    return {key: answers[key] for key in answers if key not in {"licence_accept", "licence_sha256"}}


def _end_access(applicant: "User", tier: "Tier", *, by: "User", reason: str) -> Grant | None:
    """Revoke what this person holds of the tier; the grant that ended, if any."""
    held = Grant.objects.filter(user=applicant, tier=tier)
    held.expire_due()
    grant = held.unended().first()
    if grant is not None:
        grant.revoke(by=by, reason=reason, told=True)
    return grant
