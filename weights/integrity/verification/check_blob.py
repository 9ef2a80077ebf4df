"""One check of one blob: lease it, hash it, inspect its format, record the result."""

import logging
import os
import socket
import time
from collections.abc import Callable, Collection

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from weights.errors import BlobMissing, StorageUnavailable
from weights.integrity.lease import Lease, LeaseLost, acquire
from weights.integrity.models import VerificationRun
from weights.integrity.shutdown import Stopped
from weights.integrity.verification import inspect_blob, outcomes
from weights.integrity.verification.hash_blob import Finding, Reading, failed, hash_blob, unreadable
from weights.integrity.verification.inspect_blob import NamedVerdict
from weights.integrity.verification.make_visible import settle_each
from weights.publishing.models import Revision
from weights.storage import BlobStorage, blob_storage
from weights.storage.models import UNVERIFIED, Blob

log = logging.getLogger(__name__)

Result = VerificationRun.Result


def verify(blob_id: int, *, worker: str = "", pace: Callable[[int], None] | None = None) -> None:
    """Check a blob that awaits a result and record the result; does nothing for other blobs.

    Skips a blob that another worker has leased, so a task may be delivered twice. `pace` is called
    with the number of bytes of each step and may sleep. If the store cannot be read, the check is
    retried later. A stopped or killed check starts over.
    """
    lease = acquire(Blob.objects.awaiting_result(), blob_id, attempts=F("attempts") + 1)
    if lease is None:
        return
    if lease.row.attempts > outcomes.TRIES:
        outcomes.fail_without_result(lease)
    (run,) = begin_runs([lease.row], worker)
    started = time.monotonic()
    try:
        reading = Reading(lease, run, pace)
        finding, verdicts = _check(reading, blob_storage())
        outcomes.conclude(lease, run, finding, verdicts, seconds=time.monotonic() - started)
    except LeaseLost:
        abandon(VerificationRun.objects.filter(pk=run.pk))
        return
    except Stopped:
        abandon(VerificationRun.objects.filter(pk=run.pk))
        outcomes.start_over(lease, paced=pace is not None)
        return
    except Exception as error:  # a bug: retry this blob later and continue with the others
        log.exception("the check of %s failed", lease.row)
        outcomes.conclude(lease, run, failed(error), [], seconds=time.monotonic() - started)
    settle_revisions([lease.row.pk])


def inspect(blob_id: int) -> None:
    """Inspect the format of a verified blob. Idempotent."""
    lease = acquire(Blob.objects.awaiting_inspection(), blob_id)
    if lease is None:
        return
    store = blob_storage()
    try:
        verdicts = inspect_blob.run(lease, store, lease.row.served_version(store))
        outcomes.conclude_inspection(lease, verdicts)
    except LeaseLost:
        return
    except (BlobMissing, StorageUnavailable, OSError) as error:
        outcomes.inspect_later(lease, str(error))
        return
    settle_revisions([lease.row.pk])


def _check(reading: Reading, storage: BlobStorage) -> tuple[Finding, list[NamedVerdict]]:
    """Compare the bytes with their hash, and inspect them if it matches."""
    lease = reading.lease
    _begin_step(lease, "hash")
    finding = hash_blob(reading, storage)
    if finding.result != Result.VERIFIED:
        return finding, []
    _begin_step(lease, "inspect")
    try:
        return finding, inspect_blob.run(lease, storage, finding.version, again=True)
    except (BlobMissing, StorageUnavailable, OSError) as error:
        return unreadable(error), []


@transaction.atomic
def _begin_step(lease: Lease[Blob], transition: str) -> None:
    """Set the state of a never-verified blob to its current step; others keep their state."""
    blob = lease.lock()
    if blob.state in UNVERIFIED:
        blob.transition(transition)


def begin_runs(blobs: Collection[Blob], worker: str) -> list[VerificationRun]:
    """Record the start of checks. A run without an end means that its worker was killed."""
    abandon(VerificationRun.objects.filter(blob__in=blobs, result=Result.RUNNING))
    worker = worker or f"{socket.gethostname()}:{os.getpid()}"
    return VerificationRun.objects.bulk_create(
        VerificationRun(blob=blob, worker=worker) for blob in blobs
    )


def abandon(runs: "QuerySet[VerificationRun]") -> None:
    """Record that checks ended without a result."""
    runs.update(result=Result.ABANDONED, finished_at=timezone.now())


def settle_revisions(blob_ids: Collection[int]) -> None:
    """Settle the revisions that wait for these blobs."""
    waiting = Revision.objects.awaiting_verification()
    settle_each(waiting.filter(files__blob__in=blob_ids).distinct())
