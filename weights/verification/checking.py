"""One pass over one blob: claim it, read it, keep what came of it."""

import os
import socket
import time
from collections.abc import Callable
from datetime import datetime

from django.db import models
from django.utils import timezone

from weights.models import Blob, Revision, VerificationRun
from weights.storage import BlobStorage, blob_storage
from weights.verification.outcomes import conclude
from weights.verification.reading import LEASE, LeaseLost, Reading, read
from weights.verification.settling import settle

Result = VerificationRun.Result


def verify(
    blob_id: int,
    *,
    storage: BlobStorage | None = None,
    worker: str = "",
    pace: Callable[[int], None] | None = None,
) -> None:
    """Read a due blob and record what came of it; nothing to do is done at once.

    A blob that another worker reads is left to it. An unreadable store is tried again later.
    `pace` is told the bytes of each step and may sleep, each time for less than a minute.
    """
    lease = _lease(blob_id)
    if lease is None:
        return
    blob = Blob.objects.get(pk=blob_id)
    run = _begin_run(blob, worker)
    started = time.monotonic()
    try:
        finding = read(Reading(blob, run, lease, pace), storage or blob_storage())
        conclude(blob, run, finding, seconds=time.monotonic() - started)
    except LeaseLost:
        _abandon(VerificationRun.objects.filter(pk=run.pk))
        return
    for revision in Revision.objects.awaiting_verification().filter(files__blob=blob).distinct():
        settle(revision)


def _lease(blob_id: int) -> datetime | None:
    """Claim a due blob; None when it isn't due or another worker holds it."""
    now = timezone.now()
    free = models.Q(leased_until=None) | models.Q(leased_until__lte=now)
    claimed = (
        Blob.objects.awaiting_result()
        .filter(free, pk=blob_id)
        .update(leased_until=now + LEASE, attempts=models.F("attempts") + 1)
    )
    return now + LEASE if claimed else None


def _begin_run(blob: Blob, worker: str) -> VerificationRun:
    """Note who reads from when; a run that still seems to go on was its worker's last."""
    _abandon(blob.runs.filter(result=Result.RUNNING))
    Blob.objects.filter(pk=blob.pk, state=Blob.State.UPLOADED).update(state=Blob.State.HASHING)
    return VerificationRun.objects.create(
        blob=blob, worker=worker or f"{socket.gethostname()}:{os.getpid()}"
    )


def _abandon(runs: "models.QuerySet[VerificationRun]") -> None:
    runs.update(result=Result.ABANDONED, finished_at=timezone.now())
