"""Heads in a second place: mailed, and written where AUDIT_HEAD_COPY says.

Whoever changes the trail with all rights on this database cannot change what stands there.
Mails are the outbox's, with its own retries. A copy is a row until it is written; a place
that fails is tried again, ever more seldom, and shown on the health page.
"""

import fcntl
import logging
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from accounts.audit import messages
from accounts.audit.models import HeadCopy, SignedHead

log = logging.getLogger(__name__)

#: How long a worker that is writing may be silent before another writes in its place.
CLAIM = timedelta(minutes=2)

#: Takes the place, the head's file name and its note; raises OSError. Twice does no harm.
Writer = Callable[[str, str, str], None]


def append(place: str, name: str, note: str) -> None:
    """Append the note to a file unless it is there; the folder must be there already.

    A folder is not made, so that a disk that is not mounted is an error and not another disk.
    """
    path = Path(place.removeprefix("file://"))
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        there = file.read()
        if note in there:
            return
        # A write that was cut off must not run into the next head.
        gap = "" if not there else "\n" if there.endswith("\n") else "\n\n"
        file.write(gap + note)
        file.flush()
        os.fsync(file.fileno())


#: scheme of the place -> what writes there; apps with another kind of store add theirs.
WRITERS: dict[str, Writer] = {"file": append}


def ask(head: SignedHead) -> None:
    """Let this head be copied; in the transaction that signs it."""
    for address in settings.AUDIT_HEAD_RECIPIENTS:
        messages.audit_head(head, address)
    if settings.AUDIT_HEAD_COPY:
        HeadCopy.objects.get_or_create(head=head, place=settings.AUDIT_HEAD_COPY)


def sweep(now: datetime) -> int:
    """Write what is due; how many were written."""
    due = HeadCopy.objects.due(now).select_related("head").order_by("pk")
    return sum(_write(copy) for copy in due[:50])


def retry() -> None:
    """Try at once what failed or waits."""
    HeadCopy.objects.filter(done_at=None).update(attempts=0, next_attempt_at=timezone.now())


def _write(copy: HeadCopy) -> bool:
    now = timezone.now()
    mine = HeadCopy.objects.due(now).filter(pk=copy.pk)
    if not mine.update(attempts=F("attempts") + 1, next_attempt_at=now + CLAIM):
        return False  # another worker is at it
    copy.refresh_from_db(fields=["attempts"])
    writer = WRITERS.get(copy.place.partition("://")[0])
    try:
        if writer is None:
            raise OSError(f"nothing here writes to {copy.place}")
        writer(copy.place, _name(copy.head), copy.head.note)
    except Exception as error:  # no place may hold up the others
        wait = timedelta(minutes=2**copy.attempts)
        log.error("the head over %d rows cannot be copied: %s", copy.head.size, error)
        HeadCopy.objects.filter(pk=copy.pk).update(
            last_error=str(error)[:500], next_attempt_at=timezone.now() + wait
        )
        return False
    HeadCopy.objects.filter(pk=copy.pk).update(done_at=timezone.now(), last_error="")
    return True


def _name(head: SignedHead) -> str:
    """Another head of the same size has another name, and so never takes the place of this one."""
    return f"head-{head.size:012}-{sha256(head.note.encode()).hexdigest()[:16]}.txt"
