"""Re-reads the blobs that were read longest ago, at the rate of a turn."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from weights.integrity import verification
from weights.integrity.models import VerificationRun
from weights.storage.models import Blob, BlobQuerySet

Result = VerificationRun.Result

#: The fraction of SCRUB_DAYS after which a blob is due, so that its read ends within the period.
DUE_AFTER = 0.9


def due(now: datetime) -> BlobQuerySet:
    """Idle verified blobs that are due, least recently read first."""
    since = now - DUE_AFTER * timedelta(days=settings.SCRUB_DAYS)
    idle = Blob.objects.idle(now).filter(_read_before(since), state=Blob.State.VERIFIED)
    return idle.order_by(models.F("last_verified_at").asc(nulls_first=True), "pk")


def late(now: datetime) -> BlobQuerySet:
    """Verified blobs that have not been read for longer than the period."""
    since = now - timedelta(days=settings.SCRUB_DAYS)
    return Blob.objects.filter(_read_before(since), state=Blob.State.VERIFIED)


def _read_before(moment: datetime) -> models.Q:
    return models.Q(last_verified_at=None) | models.Q(last_verified_at__lt=moment)


def read(blob: Blob, pace: Callable[[int], None], worker: str = "") -> bool:
    """Check one blob at this rate; returns False if another worker is checking or has checked it.

    A killed check remains requested, so the sweep queues it.
    """
    if not verification.claim_fresh_check(blob):
        return False
    verification.verify(blob.pk, worker=worker, pace=pace)
    return True


def is_unreadable(blob: Blob) -> bool:
    """True if the store did not answer at the last check, which is retried later."""
    return _last_result(blob) == Result.UNREADABLE


def seems_lost(blob: Blob) -> bool:
    """True if the last check did not find it in the store."""
    return _last_result(blob) == Result.MISSING


def _last_result(blob: Blob) -> str:
    ended = blob.runs.exclude(result__in=[Result.RUNNING, Result.ABANDONED])
    last = ended.order_by("-finished_at", "-pk").first()
    return last.result if last else ""


def read_to_the_end(blob: Blob, worker: str = "", patience: float = 200.0) -> None:
    """Read a suspect blob until it is verified or quarantined, or cannot be read.

    Waits up to `patience` seconds for another worker that is reading it.
    """
    end = time.monotonic() + patience
    while time.monotonic() < end:
        blob.refresh_from_db()
        if blob.leased_until is not None and blob.leased_until > timezone.now():
            time.sleep(0.2)
        elif not Blob.objects.awaiting_result().filter(pk=blob.pk).exists() or is_unreadable(blob):
            return
        else:
            verification.verify(blob.pk, worker=worker)
