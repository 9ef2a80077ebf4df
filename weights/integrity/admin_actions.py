"""Admin actions on blobs and revisions: withdraw, quarantine, lift. Each needs confirmation."""

from typing import Any

from django import forms
from django.utils.safestring import SafeString

from accounts import reasons
from accounts.admin_pages import confirmation
from accounts.admin_pages.record_actions import RecordAction
from accounts.users.models import User
from weights.integrity import blob_uses, manual_quarantine
from weights.publishing import withdrawal
from weights.publishing.models import File
from weights.storage.models import Blob


def reason_field(readers: str, label: str | None = None) -> forms.CharField:
    """A field for a reason; its help text names the readers."""
    return confirmation.text(readers.capitalize(), label=label)


def recall_field() -> forms.BooleanField:
    return forms.BooleanField(
        label="Recall",
        required=False,
        help_text="Email this reason once to everyone who downloaded it",
    )


class WithdrawForm(RecordAction):
    run = staticmethod(withdrawal.withdraw)
    name, title, button, done = "withdraw", "Withdraw revisions", "Withdraw", "withdrawn"
    warning = (
        "From the next request on, its files are no longer served, not even by links. Its pages "
        "show the reason. Branches move back to the previous revision; tags lead to the notice. "
        "This cannot be undone: publish changed files as a new revision instead."
    )

    reason = reason_field(reasons.PUBLIC)
    recall = recall_field()


class _Quarantine(RecordAction):
    name, title, button, done = "quarantine", "Quarantine manually", "Quarantine", "quarantined"
    warning = (
        "From the next request on, these bytes are no longer served, wherever they are used. "
        "They stay in quarantine until a release owner lifts it, whatever checks find."
    )

    reason = reason_field(reasons.PUBLIC)
    recall = recall_field()


class QuarantineForm(_Quarantine):
    run = staticmethod(manual_quarantine.hold)

    def reach(self, record: Blob, reader: User) -> list[str | SafeString]:
        return blob_uses.reach(record, reader)


class QuarantineFileForm(_Quarantine):
    """Quarantines the bytes of a file, wherever they are used."""

    @staticmethod
    def run(file: File, **values: Any) -> None:
        manual_quarantine.hold(file.blob, **values)

    def reach(self, record: File, reader: User) -> list[str | SafeString]:
        return blob_uses.reach(record.blob, reader)


class LiftForm(RecordAction):
    run = staticmethod(manual_quarantine.lift)
    name, title, button, done = "lift", "Lift a quarantine", "Verify, and lift if intact", "queued"
    warning = (
        "The bytes are read again. If they match their SHA-256, they are served again and an "
        "open recall of them is closed as repaired. Otherwise they stay in quarantine."
    )

    def reach(self, record: Blob, reader: User) -> list[str | SafeString]:
        return blob_uses.reach(record, reader)
