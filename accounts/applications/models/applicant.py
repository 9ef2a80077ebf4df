"""What the applicant does with an application: fill it in, send it, take it back."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.applications.models.eligibility import refuse_to_apply, seconds_until
from accounts.applications.models.form import FormVersion
from accounts.applications.models.record import ApplicationRecord, Kind, transition
from accounts.applications.state_machine import EDITABLE_STATES, Status
from accounts.audit.models.event import AuditEvent
from accounts.background.locks import take_turn
from accounts.errors import AlreadyHeld, LicenceChanged, LimitReached, TransitionRefused
from accounts.mail import messages
from accounts.review import working_days

if TYPE_CHECKING:
    from accounts.applications.models import Application, ApplicationSnapshot
    from accounts.tiers.models import LicenceVersion
    from accounts.users.models import User


class ApplicantMoves(ApplicationRecord):
    class Meta:
        abstract = True

    @transaction.atomic
    def save_answers(self, answers: dict[str, Any], *, by: "User", seen_version: int) -> None:
        """Keep what was typed, valid or not; only a draft or a returned application takes it.

        Raises TransitionRefused elsewhere, and when another window saved since `seen_version`.
        """
        self.demand("submit", by)
        now = timezone.now()
        editable = type(self)._default_manager.filter(
            pk=self.pk, status__in=EDITABLE_STATES, answers_version=seen_version
        )
        if not editable.update(answers=answers, answers_version=seen_version + 1, saved_at=now):
            self.refresh_from_db()
            if self.is_editable:
                raise TransitionRefused(
                    "this application was changed in another window; reload the page to see it"
                )
            raise TransitionRefused(f"{self.reference} is {Status(self.status).label.lower()}")
        self.answers, self.answers_version, self.saved_at = answers, seen_version + 1, now

    @transaction.atomic
    def answer_remarks(self, said: dict[int, str], *, by: "User") -> None:
        """Keep what the applicant says to public remarks: remark's key -> text.

        Raises TransitionRefused once the application is closed.
        """
        self.demand("submit", by)
        if not self.is_open:
            raise TransitionRefused(f"{self.reference} is {Status(self.status).label.lower()}")
        now = timezone.now()
        for remark in self.remarks.filter(pk__in=said, is_public=True):
            text = said[remark.pk].strip()
            if remark.answer != text:
                remark.answer, remark.answered_at = text, now if text else None
                remark.save(update_fields=["answer", "answered_at"])

    @transaction.atomic
    def adopt_questions(self, *, by: "User") -> None:
        """Give a draft the tier's questions as they stand now. Every answer stays where it is:
        one that is not asked any more is kept, shown to its writer, and not sent.

        Raises TransitionRefused for anything but a draft.
        """
        self.demand("submit", by)
        form = FormVersion.objects.current(self.tier)
        drafts = type(self)._default_manager.filter(pk=self.pk, status=Status.DRAFT)
        if not drafts.update(form=form, saved_at=timezone.now()):
            raise TransitionRefused(f"{self.reference} is no draft; its questions stay")
        self.form = form
        details = {"form": form.number}
        AuditEvent.record("application.adopt", actor=by, target=self, details=details)

    @transition
    def submit(self, *, by: "User", licence_sha256: str) -> "ApplicationSnapshot":
        """Send a draft, or a returned application again: freeze the answers as a snapshot.

        Raises LicenceChanged when the text that was read is not in force any more,
        LimitReached past the daily limit, AlreadyHeld when another window was quicker.
        """
        move = "resubmit" if self.status == Status.RETURNED else "submit"
        self.demand(move, by)
        take_turn(by)
        if move == "submit":
            refuse_to_apply(by, self.tier)
            self._demand_room_today(by)
        version = self._text_in_force(licence_sha256)
        now = timezone.now()
        changes: dict[str, Any] = {
            "submitted_at": self.submitted_at or now,
            "returned_at": None,
            "due_on": self._due_on(working_days.day_of(now)),
            "days_left": None,
        }
        try:
            with transaction.atomic():
                self._become(move, by=by, **changes)
        except IntegrityError as error:
            raise AlreadyHeld(f"another application of yours for {self.tier} is open") from error
        snapshot: ApplicationSnapshot = self.snapshots.create(
            number=self.snapshots.count() + 1, answers=self.answers, licence_version=version
        )
        AuditEvent.record(
            "licence.accepted",
            actor=by,
            target=self,
            details={"version": version.version, "sha256": version.text_sha256},
        )
        messages.application_received(self)
        return snapshot

    @transition
    def withdraw(self, *, by: "User", reason: str = "") -> None:
        self.demand("withdraw", by)
        now = timezone.now()
        self._become("withdraw", by=by, withdrawn_because=reason, decided_at=now, due_on=None)
        messages.application_withdrawn(self)

    @transaction.atomic
    def copy_as_new(self, *, by: "User") -> "Application":
        """A new draft with the answers last sent here, linked to this application.

        Raises NotAllowed to others, TransitionRefused while this one is open, and what
        `start` raises: a draft or an application that is open, or days still to wait.
        """
        self.demand("copy", by)
        if not self.is_terminal:
            raise TransitionRefused(f"{self.reference} is still open; there is nothing to copy")
        return type(self)._default_manager.start(by, self.tier, predecessor=self)

    # -- guards ------------------------------------------------------------------------

    def _text_in_force(self, licence_sha256: str) -> "LicenceVersion":
        version = self.tier.licence.in_force()
        if version is None or version.text_sha256 != licence_sha256:
            raise LicenceChanged("the licence has changed since you read it; read the new text")
        return version

    def _due_on(self, today: date) -> date:
        """The clock starts with the first submission, and goes on where a return stopped it."""
        left = settings.ANSWER_DAYS if self.days_left is None else self.days_left
        return working_days.add(today, left)

    def _demand_room_today(self, by: "User") -> None:
        most, since = settings.SUBMISSIONS_A_DAY, timezone.now() - timedelta(days=1)
        own = type(self)._default_manager.filter(applicant=by).exclude(kind=Kind.REOPENED)
        sent = own.filter(submitted_at__gte=since).order_by("-submitted_at")
        newest = [at for at in sent.values_list("submitted_at", flat=True)[:most] if at is not None]
        if len(newest) == most:
            message = f"at most {most} applications a day; try tomorrow"
            raise LimitReached(message, wait=seconds_until(newest[-1], since))
