"""Read again what was read the longest ago, at the pace of one's turn."""

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

#: Reading begins so much before the end of the period, so that it ends within it.
BEGIN_AT = 0.9


def due(now: datetime) -> BlobQuerySet:
    """Verified blobs whose last reading is long ago, the oldest first."""
    since = now - BEGIN_AT * timedelta(days=settings.SCRUB_DAYS)
    return oldest_first(now).filter(_read_before(since))


def oldest_first(now: datetime) -> BlobQuerySet:
    """Every blob that may be read again now, and that no check is asked for."""
    verified = Blob.objects.idle(now).filter(state=Blob.State.VERIFIED)
    return verified.order_by(models.F("last_verified_at").asc(nulls_first=True), "pk")


def late(now: datetime) -> BlobQuerySet:
    """Verified blobs that nobody has read for longer than the period."""
    since = now - timedelta(days=settings.SCRUB_DAYS)
    return Blob.objects.filter(_read_before(since), state=Blob.State.VERIFIED)


def _read_before(moment: datetime) -> models.Q:
    return models.Q(last_verified_at=None) | models.Q(last_verified_at__lt=moment)


def read(blob: Blob, pace: Callable[[int], None], worker: str = "", *, steps: bool = True) -> bool:
    """Check one blob at this pace; False where somebody else does already.

    With `steps` a large one is read for some minutes, and from there on in the next turn. A kill
    leaves it asked for, so that the sweep has it done.
    """
    if not verification.claim_fresh_check(blob.pk):
        return False
    verification.verify(blob.pk, worker=worker, pace=pace, steps=steps)
    return True


def is_unreadable(blob: Blob) -> bool:
    """Whether its last check met a store that gave no answer: no verdict, tried again later."""
    return _last_result(blob) == Result.UNREADABLE


def seems_lost(blob: Blob) -> bool:
    """Whether its last check did not find it in the store."""
    return _last_result(blob) == Result.MISSING


def _last_result(blob: Blob) -> str:
    ended = blob.runs.exclude(result__in=[Result.RUNNING, Result.ABANDONED])
    last = ended.order_by("-finished_at", "-pk").first()
    return last.result if last else ""


def read_to_the_end(blob: Blob, worker: str = "", patience: float = 200.0) -> None:
    """Read a blob that is in doubt until it is good or in quarantine, or cannot be read.

    A worker that reads it meanwhile is waited for, at most `patience` seconds.
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
