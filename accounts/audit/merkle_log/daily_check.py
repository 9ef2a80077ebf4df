"""Verifies the whole sealed trail daily, a limited part each minute.

The heartbeat `trail` stores the progress, so that any worker can continue.
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
from accounts.audit.merkle_log.verification import CHUNK, TrailAltered, TrailVerification
from accounts.audit.models import SealBatch
from accounts.background.models import Heartbeat

log = logging.getLogger(__name__)

HEARTBEAT = "trail"
#: Time between the starts of two passes; shorter after a fault, so that a repair clears the alarm.
INTERVAL, INTERVAL_AFTER_FAULT = timedelta(hours=24), timedelta(hours=1)
#: Maximum seconds per run of the task, which runs each minute.
RUN_SECONDS = 20.0
#: Rows between two checks of the deadline.
ROWS_PER_STEP = CHUNK


@dataclass
class Progress:
    """The current or last pass; `batch` is the number of the last verified batch."""

    began: str = ""
    batch: int = 0
    rows: int = 0
    is_under_way: bool = False
    #: When the last complete pass succeeded, and the number of its rows.
    ended: str = ""
    whole_rows: int = 0
    fault: str = ""

    @classmethod
    def of(cls, heartbeat: Heartbeat | None) -> "Progress":
        details: dict[str, Any] = heartbeat.details if heartbeat else {}
        return cls(**details)

    def is_due(self, now: datetime) -> bool:
        interval = INTERVAL_AFTER_FAULT if self.fault else INTERVAL
        return not self.began or now - datetime.fromisoformat(self.began) >= interval

    def begin(self, now: datetime) -> None:
        self.began, self.batch, self.rows, self.is_under_way = now.isoformat(), 0, 0, True


def run(now: datetime) -> None:
    """Continue the pass, or start one that is due, for `RUN_SECONDS`."""
    progress = Progress.of(Heartbeat.objects.filter(name=HEARTBEAT).first())
    if not progress.is_under_way and progress.is_due(now):
        progress.begin(now)
    if progress.is_under_way:
        with _reporting_faults(progress, now):
            _continue(progress, now)
    Heartbeat.objects.write(HEARTBEAT, asdict(progress))


def _continue(progress: Progress, now: datetime) -> None:
    """Verify batches until the deadline. Raises TrailAltered."""
    after = SealBatch.objects.filter(number=progress.batch).first()
    if after is None:
        progress.begin(now)  # a pass from the first batch reports the missing one
    verification, rows_before = TrailVerification(after), progress.rows
    last = SealBatch.objects.order_by("number").last()
    deadline = time.monotonic() + RUN_SECONDS
    while last is not None and verification.next_batches(last.number, ROWS_PER_STEP):
        progress.batch = verification.number
        progress.rows = rows_before + verification.verified.rows
        if time.monotonic() > deadline:
            return
    verification.finish(last)
    progress.ended, progress.whole_rows = now.isoformat(), progress.rows
    progress.is_under_way, progress.fault = False, ""


@contextmanager
def _reporting_faults(progress: Progress, now: datetime) -> Iterator[None]:
    try:
        yield
    except TrailAltered as error:
        progress.is_under_way, progress.fault = False, str(error)
        log.error("the audit trail is not as it was sealed: %s", error)
        _mail(progress.fault, now)


@transaction.atomic
def _mail(fault: str, now: datetime) -> None:
    """Notify the recipients of heads once a day for each fault."""
    key = f"{hashlib.sha256(fault.encode()).hexdigest()[:16]}:{now:%y%m%d}"
    for address in settings.AUDIT_HEAD_RECIPIENTS:
        messages.trail_altered(fault, key, address)
