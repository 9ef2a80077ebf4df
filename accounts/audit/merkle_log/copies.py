"""Copies of daily heads outside the portal: by mail, and at the URL in AUDIT_HEAD_COPY.

An attacker with full rights on this database cannot change these copies. The outbox retries
mails. Each HeadCopy is retried with exponential backoff; the health page shows failures.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from accounts.audit import messages
from accounts.audit.merkle_log import signed_notes
from accounts.audit.merkle_log.signed_notes import Note
from accounts.audit.models import HeadCopy, SignedHead

log = logging.getLogger(__name__)

#: Time after which another worker may retry a copy that has no result.
CLAIM = timedelta(minutes=2)

#: Takes the URL, the head's file name and its note; idempotent, raises OSError.
Writer = Callable[[str, str, str], None]
#: Takes the URL and file names that may be skipped; returns texts with notes in the order in which
#: they were written. Raises OSError.
Reader = Callable[[str, Collection[str]], list[str]]


def append_to_file(url: str, name: str, note: str) -> None:
    """Append the note to a file unless the file contains it.

    Raises OSError if the folder does not exist: creating it would hide an unmounted disk.
    """
    path = Path(url.removeprefix("file://"))
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        content = file.read()
        if note in content:
            return
        # Separate the note from an incomplete one left by an interrupted write.
        gap = "" if not content else "\n" if content.endswith("\n") else "\n\n"
        file.write(gap + note)
        file.flush()
        os.fsync(file.fileno())


def read_file(url: str, leave_out: Collection[str]) -> list[str]:
    """Return the whole file; nothing before the first head is copied."""
    try:
        return [Path(url.removeprefix("file://")).read_text(encoding="utf-8")]
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise OSError(f"{url} is not text: {error}") from error


#: URL scheme -> its writer and reader; other apps register theirs in `AppConfig.ready`.
WRITERS: dict[str, Writer] = {"file": append_to_file}
READERS: dict[str, Reader] = {"file": read_file}


def enqueue(head: SignedHead) -> None:
    """Queue the mails and the copy of a head, in the transaction that signs it."""
    for address in settings.AUDIT_HEAD_RECIPIENTS:
        messages.audit_head(head, address)
    if settings.AUDIT_HEAD_COPY:
        HeadCopy.objects.get_or_create(head=head, place=settings.AUDIT_HEAD_COPY)


def sweep(now: datetime) -> int:
    """Write up to 50 copies that are due. Returns the number written."""
    due = HeadCopy.objects.due(now).select_related("head").order_by("pk")
    return sum(_write(copy) for copy in due[:50])


def retry() -> None:
    """Make every pending or failed copy due now."""
    HeadCopy.objects.filter(done_at=None).update(attempts=0, next_attempt_at=timezone.now())


def _write(copy: HeadCopy) -> bool:
    now = timezone.now()
    claim = HeadCopy.objects.due(now).filter(pk=copy.pk)
    if not claim.update(attempts=F("attempts") + 1, next_attempt_at=now + CLAIM):
        return False  # claimed by another worker
    copy.refresh_from_db(fields=["attempts"])
    writer = WRITERS.get(copy.place.partition("://")[0])
    try:
        if writer is None:
            raise OSError(f"no writer is registered for {copy.place}")
        writer(copy.place, file_name(copy.head.size, copy.head.note), copy.head.note)
    except Exception as error:  # one failing URL must not block the others
        wait = timedelta(minutes=2**copy.attempts)
        log.error("the head over %d rows cannot be copied: %s", copy.head.size, error)
        HeadCopy.objects.filter(pk=copy.pk).update(
            last_error=str(error)[:500], next_attempt_at=timezone.now() + wait
        )
        return False
    HeadCopy.objects.filter(pk=copy.pk).update(done_at=timezone.now(), last_error="")
    return True


def file_name(size: int, note: str) -> str:
    """Return a name with a hash, so that two heads of the same size do not collide."""
    return f"head-{size:012}-{sha256(note.encode()).hexdigest()[:16]}.txt"


def read(leave_out: Collection[str] = ()) -> list[Note]:
    """Return the heads at AUDIT_HEAD_COPY in the order written; empty if it is not set.

    Objects named in `leave_out` may be skipped. Raises OSError.
    """
    place = settings.AUDIT_HEAD_COPY
    if not place:
        return []
    texts = READERS[place.partition("://")[0]](place, leave_out)
    return [note for text in texts for note in signed_notes.find(text)]
