"""One pass over one blob: claim it, read it, look at what it is, keep what came of it."""

import logging
import os
import socket
import time
from collections.abc import Callable

from django.db.models import Case, F, QuerySet, Value, When
from django.utils import timezone

from weights.errors import BlobMissing, StorageUnavailable
from weights.integrity.models import VerificationRun
from weights.integrity.verification import inspecting
from weights.integrity.verification.hashing import HandedOn
from weights.integrity.verification.inspecting import Look
from weights.integrity.verification.leases import LeaseLost, claim
from weights.integrity.verification.outcomes import (
    TRIES,
    conclude,
    conclude_inspection,
    hand_on,
    inspect_later,
    told_by_no_worker,
)
from weights.integrity.verification.publication import settle_each
from weights.integrity.verification.reading import (
    BEGUN_AGAIN,
    Finding,
    Reading,
    not_checked,
    not_read,
    read,
)
from weights.publishing.models import Revision
from weights.storage import BlobStorage, blob_storage
from weights.storage.models import UNVERIFIED, Blob

log = logging.getLogger(__name__)

Result = VerificationRun.Result


def verify(
    blob_id: int,
    *,
    storage: BlobStorage | None = None,
    worker: str = "",
    pace: Callable[[int], None] | None = None,
    steps: bool = True,
) -> None:
    """Read a due blob and record what came of it; nothing to do is done at once.

    A blob that another worker reads is left to it. An unreadable store is tried again later.
    `pace` is told the bytes of each step and may sleep, each time for less than a minute.
    A reading longer than one step of `hashing` is queued to go on, or left to the caller who sets
    the pace; without `steps` it is done in one go.
    """
    reading = {"attempts": F("attempts") + 1, "state": _at_work(Blob.State.HASHING)}
    lease = claim(Blob.objects.awaiting_result(), blob_id, **reading)
    if lease is None:
        return
    if lease.blob.attempts > TRIES:
        told_by_no_worker(lease)
    run = _begin_run(lease.blob, worker)
    started = time.monotonic()
    try:
        finding, looks = _pass(
            Reading(lease, run, pace=pace, steps=steps), storage or blob_storage()
        )
        seconds = time.monotonic() - started
        if isinstance(finding, HandedOn):
            queued, detail = pace is None or not finding.at, "" if finding.at else BEGUN_AGAIN
            hand_on(lease, run, seconds=seconds, queued=queued, detail=detail)
            return
        conclude(lease, run, finding, looks, seconds=seconds)
    except LeaseLost:
        _abandon(VerificationRun.objects.filter(pk=run.pk))
        return
    except Exception as error:  # a fault of ours: this blob backs off, the others go on
        log.exception("the check of %s failed", lease.blob)
        conclude(lease, run, not_checked(error), [], seconds=time.monotonic() - started)
    _settle_those_of(lease.blob)


def inspect(blob_id: int, *, storage: BlobStorage | None = None) -> None:
    """Look at the names of a blob whose bytes are known to be whole; again does no harm."""
    lease = claim(Blob.objects.awaiting_inspection(), blob_id)
    if lease is None:
        return
    try:
        try:
            store = storage or blob_storage()
            looks = inspecting.look(lease, store, lease.blob.served_version(store))
        except (BlobMissing, StorageUnavailable, OSError) as error:
            inspect_later(lease, str(error))
            return
        conclude_inspection(lease, looks)
    except LeaseLost:
        return
    _settle_those_of(lease.blob)


def _pass(reading: Reading, storage: BlobStorage) -> tuple[Finding | HandedOn, list[Look]]:
    """Whether the bytes are what their name says, and then what they are as what files say."""
    finding = read(reading, storage)
    if isinstance(finding, HandedOn) or finding.result != Result.VERIFIED:
        return finding, []
    reading.lease.renew(state=_at_work(Blob.State.SCANNING))
    try:
        return finding, inspecting.look(reading.lease, storage, finding.version, afresh=True)
    except (BlobMissing, StorageUnavailable, OSError) as error:
        return not_read(error), []


def _at_work(state: Blob.State) -> Case:
    """The step that a blob is at which was never verified; another keeps its state."""
    return Case(When(state__in=UNVERIFIED, then=Value(state)), default=F("state"))


def _begin_run(blob: Blob, worker: str) -> VerificationRun:
    """Note who reads from when; a run that still seems to go on was its worker's last."""
    _abandon(blob.runs.filter(result=Result.RUNNING))
    return VerificationRun.objects.create(
        blob=blob, worker=worker or f"{socket.gethostname()}:{os.getpid()}"
    )


def _abandon(runs: "QuerySet[VerificationRun]") -> None:
    runs.update(result=Result.ABANDONED, finished_at=timezone.now())


def _settle_those_of(blob: Blob) -> None:
    settle_each(Revision.objects.awaiting_verification().filter(files__blob=blob).distinct())
