"""Verification of the whole sealed trail once a day, a bounded part of it each minute.

The heartbeat `trail` remembers how far a reading has come, so that any worker goes on with it.
"""

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.audit import messages
from accounts.audit.merkle_log.checking import CHUNK, Check, TrailAltered
from accounts.audit.models import SealBatch
from accounts.background.models import Heartbeat

log = logging.getLogger(__name__)

HEARTBEAT = "trail"
#: From the begin of one whole reading to the next; sooner after a fault, to see it mended.
EVERY, AFTER_FAULT = timedelta(hours=24), timedelta(hours=1)
#: Seconds that one turn reads, of each minute.
TURN = 20.0
#: Rows between two looks at the clock.
ROWS_AT_ONCE = CHUNK


@dataclass
class Progress:
    """The reading under way or the last one; `batch` is the last batch that proved good."""

    began: str = ""
    batch: int = 0
    rows: int = 0
    is_under_way: bool = False
    #: When the last whole reading ended well, and the rows it read.
    ended: str = ""
    whole_rows: int = 0
    fault: str = ""

    @classmethod
    def of(cls, heartbeat: Heartbeat | None) -> "Progress":
        details: dict[str, Any] = heartbeat.details if heartbeat else {}
        return cls(**details)

    def is_due(self, now: datetime) -> bool:
        pause = AFTER_FAULT if self.fault else EVERY
        return not self.began or now - datetime.fromisoformat(self.began) >= pause

    def begin(self, now: datetime) -> None:
        self.began, self.batch, self.rows, self.is_under_way = now.isoformat(), 0, 0, True


def take_turn(now: datetime) -> None:
    """Read on for `TURN` seconds where a reading is under way or due."""
    progress = Progress.of(Heartbeat.objects.filter(name=HEARTBEAT).first())
    if not progress.is_under_way and progress.is_due(now):
        progress.begin(now)
    if progress.is_under_way:
        with _faults_noted(progress, now):
            _read_on(progress, now)
    Heartbeat.objects.write(HEARTBEAT, asdict(progress))


def _read_on(progress: Progress, now: datetime) -> None:
    """Raises TrailAltered."""
    after = SealBatch.objects.filter(number=progress.batch).first()
    if after is None:
        progress.begin(now)  # a batch that has gone is named by a reading from the first one on
    check, before = Check(after), progress.rows
    last = SealBatch.objects.order_by("number").last()
    deadline = time.monotonic() + TURN
    while last is not None and check.next_batches(last.number, ROWS_AT_ONCE):
        progress.batch, progress.rows = check.number, before + check.done.rows
        if time.monotonic() > deadline:
            return
    check.ends(last)
    progress.ended, progress.whole_rows = now.isoformat(), progress.rows
    progress.is_under_way, progress.fault = False, ""


@contextmanager
def _faults_noted(progress: Progress, now: datetime) -> Iterator[None]:
    try:
        yield
    except TrailAltered as error:
        progress.is_under_way, progress.fault = False, str(error)
        log.error("the audit trail is not as it was sealed: %s", error)
        _mail(progress.fault, now)


@transaction.atomic
def _mail(fault: str, now: datetime) -> None:
    """To whoever keeps heads, once a day for each fault."""
    key = f"{hashlib.sha256(fault.encode()).hexdigest()[:16]}:{now:%y%m%d}"
    for address in settings.AUDIT_HEAD_RECIPIENTS:
        messages.trail_altered(fault, key, address)
