"""What no hand does: claims that lie idle, and silence that lasts."""

from typing import Any

from django.utils import timezone

from accounts.applications.models.record import UNCLAIMED, ApplicationRecord, transition
from accounts.applications.state_machine import Status
from accounts.mail import messages


class SystemMoves(ApplicationRecord):
    class Meta:
        abstract = True

    @transition
    def release_idle(self) -> None:
        """Put an idle claim back in the queue; an approval that waits for a second one stays."""
        claimer, claimed_at = self.claimed_by, self.claimed_at
        self._become("release", by=None, details={"idle": True}, **UNCLAIMED)
        if claimer is not None:
            messages.claim_ended(self, claimer, claimed_at)

    @transition
    def lapse(self) -> None:
        """End what its applicant left lying; a draft's answers and documents go with it."""
        was_draft = self.status == Status.DRAFT
        changes: dict[str, Any] = {"answers": {}} if was_draft else {}
        self._become("lapse", by=None, decided_at=timezone.now(), **changes)
        if was_draft:
            self.attachments.all().delete()
        messages.application_lapsed(self, was_draft=was_draft)
