"""Small text files that pages show to people who may download them."""

from accounts.web.sanitize import multiline
from weights import gate
from weights.errors import BlobChanged, BlobMissing, StorageUnavailable
from weights.gate.caller import Caller
from weights.ledger import recording
from weights.ledger.models import Download
from weights.storage import blob_storage, excerpts

#: Maximum bytes of a text file that is shown on a page.
PREVIEW_BYTES = 64_000


def preview(caller: Caller, decision: gate.Decision) -> str | None:
    """The text of a small file that the caller may fetch; records in the ledger that it was shown.

    None for anything but UTF-8 text, and for a file that cannot be read or has changed.
    """
    file = decision.file
    if file is None or file.size > PREVIEW_BYTES:
        return None
    try:
        text = excerpts.read(file.blob, PREVIEW_BYTES + 1, blob_storage()).decode("utf-8")
    except (UnicodeDecodeError, BlobMissing, BlobChanged, StorageUnavailable):
        return None
    if "\x00" in text:
        return None
    recording.record_served(
        caller, decision, file, Download.Outcome.SHOWN, start=0, length=file.size
    )
    return multiline(text)
