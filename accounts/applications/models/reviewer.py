"""What staff does with an application: take it, ask about it, decide it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from accounts.applications.models.record import UNCLAIMED, ApplicationRecord, Kind, transition
from accounts.applications.state_machine import Actor, Status
from accounts.audit.models.event import AuditEvent
from accounts.errors import AlreadyHeld, InvalidValue, NotAllowed, TransitionRefused
from accounts.grants.models import Grant
from accounts.mail import messages
from accounts.review import working_days
from accounts.review.models.decision import Decision
from accounts.review.reasons import validate_reasons
from accounts.signals import application_decided

if TYPE_CHECKING:
    from accounts.review.models import Conflict, Consultation, Remark
    from accounts.tiers.models import LicenceVersion
    from accounts.users.models import User


class ReviewerMoves(ApplicationRecord):
    class Meta:
        abstract = True

    # -- whose desk it is on -----------------------------------------------------------

    @transition
    def claim(self, *, by: "User") -> None:
        """Take it for review, so that no two people work on it."""
        self.demand("claim", by)
        self._become("claim", by=by, **_claimed_by(by))

    @transition
    def assign(self, to: "User", *, by: "User") -> None:
        """Put it on a reviewer's desk, also out of another's; takes a lead reviewer."""
        self.demand("assign", by)
        if not self.may_review(to):
            raise InvalidValue(f"{to} may not review {self.reference}")
        self._become("assign", by=by, details={"to": str(to.public_id)}, **_claimed_by(to))
        messages.application_assigned(self, to, by)

    @transition
    def release(self, *, by: "User") -> None:
        """Back to the queue; an approval of one's own that waits for a second goes with it."""
        self.demand("release", by)
        self._become("release", by=by, first_approval=None, **UNCLAIMED)

    def may_review(self, person: "User") -> bool:
        """Whether this person could claim it, now or once it is free."""
        return Actor.REVIEWER in self.actors(person)

    @transition
    def declare_conflict(self, *, by: "User", reason: str) -> "Conflict":
        """Bar oneself from deciding it; a claim of one's own ends. Again changes nothing."""
        if not self.may_review(by) and not self._in_conflict(by):
            raise NotAllowed(f"you hold no reviewer role for {self.tier}")
        if self.status == Status.IN_REVIEW and self.claimed_by_id == by.pk:
            self.release(by=by)
        conflict: Conflict
        conflict, made = self.conflicts.get_or_create(reviewer=by, defaults={"reason": reason})
        if made:
            AuditEvent.record("application.conflict", actor=by, target=self)
        return conflict

    # -- talk about it -----------------------------------------------------------------

    @transition
    def remark(self, text: str, *, by: "User", field: str = "", public: bool = False) -> "Remark":
        """Note something, for staff or for the applicant too, who is told by mail at once."""
        self._demand_desk(by)
        made = self._remark(text, by=by, field=field, public=public)
        if public:
            messages.remark_made(self, made)
        return made

    @transition
    def ask(self, colleague: "User", question: str, *, by: "User") -> "Consultation":
        """Ask another reviewer of the tier; the claim stays, the colleague is mailed."""
        self._demand_desk(by)
        if colleague.pk == by.pk or not self.may_review(colleague):
            raise InvalidValue(f"{colleague} may not review {self.reference}; ask somebody else")
        if not question.strip():
            raise InvalidValue("write what you want to ask")
        asked: Consultation = self.consultations.create(
            asked_by=by, colleague=colleague, question=question.strip()
        )
        AuditEvent.record(
            "application.ask",
            actor=by,
            target=self,
            details={"colleague": str(colleague.public_id)},
        )
        messages.colleague_asked(self, asked)
        return asked

    def _remark(
        self, text: str, *, by: "User", field: str, public: bool, decision: Any = None
    ) -> "Remark":
        if field and field not in self.form.labels():
            raise InvalidValue(f"the form has no field {field!r}")
        if not text.strip():
            raise InvalidValue("a remark needs a text")
        made: Remark = self.remarks.create(
            author=by,
            snapshot=self.latest_snapshot,
            field=field,
            text=text.strip(),
            is_public=public,
            decision=decision,
        )
        details = {"field": field, "public": public}
        AuditEvent.record("application.remark", actor=by, target=self, details=details)
        return made

    # -- decide ------------------------------------------------------------------------

    @transition
    def approve(
        self,
        *,
        by: "User",
        until: datetime | None = None,
        note: str = "",
        internal_note: str = "",
        checklist: dict[str, str] | None = None,
    ) -> Grant | None:
        """Give the applicant a grant until `until`, else for the tier's term.

        Claims on the way. On a tier that asks for two approvals the first one gives nothing
        yet (None): the application waits for another reviewer, who may change the term.
        """
        self._take(by, "approve")
        first = self.first_approval
        if until is None:
            kept = first.until if first is not None else None
            until = kept or working_days.end_of_day(self.tier.term_days)
        note = self.note_of_approvals(note)
        said = _Said([], note, internal_note, checklist, until)
        if self.tier.approvals_needed > 1 and first is None:
            self._approve_first(by, said)
            return None
        if first is not None and first.reviewer_id == by.pk:
            raise NotAllowed(f"{self.reference} waits for the approval of another reviewer")
        decision = self._decide(
            "approve", by, Decision.Verdict.APPROVE, said, decided_at=timezone.now()
        )
        grant = Grant.objects.give(
            self.applicant,
            self.tier,
            licence_version=self._accepted_licence(),
            until=until,
            origin=Grant.Origin.APPLICATION,
            by=by,
            application=self,
        )
        messages.application_approved(self, decision)
        self._tell()
        return grant

    def note_of_approvals(self, note: str) -> str:
        """What the applicant reads with an approval: the first reviewer's note stands first."""
        first = self.first_approval.note if self.first_approval else ""
        return "\n\n".join(said for said in (first, note) if said)

    def _approve_first(self, by: "User", said: "_Said") -> None:
        decision = self._decide("approve_first", by, Decision.Verdict.APPROVE, said)
        self.first_approval = decision
        self.save(update_fields=["first_approval"])
        messages.second_approval_wanted(self, decision)

    @transition
    def reject(
        self,
        *,
        by: "User",
        reasons: list[str],
        note: str,
        internal_note: str = "",
        checklist: dict[str, str] | None = None,
    ) -> Decision:
        """Refuse with at least one reason code and a note of 20 characters; claims on the way."""
        self._take(by, "reject")
        held = Grant.objects.unended().filter(user=self.applicant, tier=self.tier)
        if self.is_waiting and held.live().exists():
            raise AlreadyHeld(f"{self.applicant} holds access to {self.tier}; revoke it first")
        said = _Said(reasons, note, internal_note, checklist)
        decided = timezone.now()
        decision = self._decide("reject", by, Decision.Verdict.REJECT, said, decided_at=decided)
        messages.application_rejected(self, decision)
        self._tell()
        return decision

    @transition
    def return_for_changes(
        self,
        *,
        by: "User",
        reasons: list[str],
        remarks: dict[str, str],
        note: str = "",
        internal_note: str = "",
        checklist: dict[str, str] | None = None,
    ) -> Decision:
        """Ask the applicant to change something, and stop the clock meanwhile.

        `remarks` says what, by the field that it is about: at least one.
        """
        self._take(by, "return")
        if not any(text.strip() for text in remarks.values()):
            raise InvalidValue("say at a field what should change; at least one remark is needed")
        now = timezone.now()
        rests: dict[str, Any] = {"returned_at": now, "due_on": None, "first_approval": None}
        if self.due_on is not None:
            rests["days_left"] = working_days.between(working_days.day_of(now), self.due_on)
        said = _Said(reasons, note, internal_note, checklist)
        decision = self._decide("return", by, Decision.Verdict.RETURN, said, **rests)
        for field, text in remarks.items():
            if text.strip():
                self._remark(text, by=by, field=field, public=True, decision=decision)
        messages.application_returned(self, decision, remarks)
        return decision

    # -- how a decision is made --------------------------------------------------------

    def _decide(
        self, move: str, by: "User", verdict: Decision.Verdict, said: "_Said", **changes: Any
    ) -> Decision:
        validate_reasons(verdict, said.reasons, said.note)
        snapshot = self.latest_snapshot
        if snapshot is None and self.kind != Kind.REOPENED:
            raise TransitionRefused(f"{self.reference} was never submitted")
        if self.status == Status.IN_REVIEW and "decided_at" in changes:
            changes["due_on"] = None
        if self.answered_at is None and move != "approve_first":
            changes["answered_at"] = timezone.now()
        self._become(move, by=by, details={"reasons": said.reasons}, **changes)
        decision: Decision = self.decisions.create(
            snapshot=snapshot,
            reviewer=by,
            verdict=verdict,
            reasons=said.reasons,
            note=said.note,
            internal_note=said.internal_note,
            checklist=said.checklist,
            until=said.until,
        )
        return decision

    def _take(self, by: "User", move: str) -> None:
        """Claim on the way to a decision, unless this reviewer may make the move already."""
        self.refresh_from_db()
        if self.status == Status.SUBMITTED:
            self.claim(by=by)
        elif self.status == Status.IN_REVIEW:
            self.demand(move, by)
        else:
            self._demand_reviewer(by)

    def _demand_reviewer(self, by: "User") -> None:
        if not self.may_review(by):
            raise NotAllowed(self._why_not("claim", by))

    def _demand_desk(self, by: "User") -> None:
        """Only a reviewer speaks about an application, and only while staff has it."""
        self._demand_reviewer(by)
        if not self.is_open:
            raise TransitionRefused(f"{self.reference} is {Status(self.status).label.lower()}")
        if self.claimed_by_id == by.pk:
            type(self)._default_manager.filter(pk=self.pk).update(worked_at=timezone.now())

    def _tell(self) -> None:
        transaction.on_commit(lambda: application_decided.send_robust(type(self), application=self))

    def _accepted_licence(self) -> "LicenceVersion":
        """The text accepted; the one in force where access was first given without asking."""
        snapshot = self.latest_snapshot
        if snapshot is not None:
            return snapshot.licence_version
        version = self.tier.licence.in_force()
        if version is None:
            raise InvalidValue(f"the licence {self.tier.licence} has no version in force")
        return version


class _Said:
    """What a reviewer gives with a verdict."""

    def __init__(
        self,
        reasons: list[str],
        note: str,
        internal_note: str,
        checklist: dict[str, str] | None,
        until: datetime | None = None,
    ) -> None:
        self.reasons = reasons
        self.note = note
        self.internal_note = internal_note
        self.checklist = checklist or {}
        self.until = until


def _claimed_by(person: "User") -> dict[str, Any]:
    now = timezone.now()
    return {
        "claimed_by": person,
        "claimed_at": now,
        "worked_at": now,
        "first_approval": None,
    }
