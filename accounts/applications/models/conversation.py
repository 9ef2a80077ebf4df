"""What goes on between the moves: answers to questions and remarks, and a nudge."""

from typing import TYPE_CHECKING

from django.utils import timezone

from accounts.applications.models.record import transition
from accounts.applications.models.reviewer import ReviewerMoves
from accounts.applications.state_machine import Actor
from accounts.audit.models.event import AuditEvent
from accounts.errors import AlreadyHeld, InvalidValue, NotAllowed, TransitionRefused
from accounts.mail import messages, outbox
from accounts.review import working_days

if TYPE_CHECKING:
    from accounts.mail.models import OutgoingMail
    from accounts.review.models import Consultation, Remark
    from accounts.users.models import User


class ConversationMoves(ReviewerMoves):
    class Meta:
        abstract = True

    @transition
    def answer_question(self, asked: "Consultation", text: str, *, by: "User") -> None:
        """Answer what one was asked; who asked is mailed. Once, and only by who was asked."""
        self._demand_desk(by)
        if asked.application_id != self.pk or asked.colleague_id != by.pk:
            raise NotAllowed("that was asked of somebody else")
        if not text.strip():
            raise InvalidValue("write an answer")
        open_ones = self.consultations.filter(pk=asked.pk, answered_at=None)
        if not open_ones.update(answer=text.strip(), answered_at=timezone.now()):
            raise TransitionRefused("you have answered that already")
        AuditEvent.record("application.answer", actor=by, target=self)
        messages.colleague_answered(self, asked)

    @transition
    def settle(self, remark: "Remark", *, by: "User", done: bool = True) -> None:
        """Tick a remark off, or take the tick back: what it asked for has come."""
        self._demand_desk(by)
        changed = self.remarks.filter(pk=remark.pk, settled_at__isnull=done).update(
            settled_by=by if done else None, settled_at=timezone.now() if done else None
        )
        if changed:
            details = {"remark": remark.pk, "done": done}
            AuditEvent.record("application.settle", actor=by, target=self, details=details)

    @transition
    def send_mail_again(self, mail: "OutgoingMail", *, by: "User") -> None:
        """Send a mail about it once more, as it was: one that did not arrive, or was lost."""
        self._demand_reviewer(by)
        if (mail.object_kind, mail.object_id) != ("application", str(self.public_id)):
            raise NotAllowed("that mail is about something else")
        outbox.send_again(mail)
        details = {"kind": mail.kind}
        AuditEvent.record("application.mail_again", actor=by, target=self, details=details)

    @transition
    def remind(self, *, by: "User") -> None:
        """Ask the claimer by mail to go on; takes a lead reviewer, once a day."""
        if Actor.LEAD not in self.actors(by):
            raise NotAllowed(f"you are no lead reviewer of {self.tier}")
        if self.claimed_by is None or not self.is_waiting:
            raise TransitionRefused(f"nobody has {self.reference} on their desk")
        if not messages.claimer_reminded(self, by, working_days.day_of(timezone.now())):
            raise AlreadyHeld(f"{self.claimed_by} was reminded of {self.reference} today")
        details = {"claimer": str(self.claimed_by.public_id)}
        AuditEvent.record("application.remind", actor=by, target=self, details=details)
