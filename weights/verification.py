"""Re-read every blob from the store; a revision is visible once all of its blobs proved good.

The rows are the memory. A blob is due while its check has no result; a worker leases the
row, and its result counts only while the lease is its own. So a check may be queued twice,
run late or be killed at any instant, and the end is the same.
"""

import hashlib
import logging
import os
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models, transaction
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.background import queue_now
from accounts.models import AuditEvent
from weights import contents, refs
from weights.errors import BlobMissing, StorageUnavailable
from weights.models import Blob, Checkpoint, File, Revision, VerificationRun
from weights.models.blob import UNVERIFIED
from weights.storage import BlobStorage, blob_storage

log = logging.getLogger(__name__)

Result = VerificationRun.Result

#: How long a worker may be silent before another takes its blob over.
LEASE = timedelta(minutes=3)
#: Seconds between two signs of life of a worker that reads.
SIGN_OF_LIFE = 5.0
#: A queued blob is queued again after this, should its message be lost.
QUEUED_FOR = timedelta(minutes=5)
#: Tries at an unreadable store before its revisions are said to have failed; the sweep goes on.
TRIES = 8
RETRY_AT_MOST = timedelta(hours=1)
QUEUED_AT_ONCE = 500
BUFFER = 2 * 1024 * 1024

#: A check is asked for and has not come to a result.
_DUE = models.Q(state__in=UNVERIFIED) | models.Q(check_due_at__isnull=False)


class LeaseLost(Exception):
    """Another worker took the blob over; this one's result no longer counts."""


@dataclass(frozen=True)
class Finding:
    """What a pass over a blob came to; `reason` is a sentence when it isn't good."""

    result: VerificationRun.Result
    reason: str = ""
    sha256: str = ""
    bytes_read: int = 0
    #: Which version of the object was read, and in which store; both empty without versions.
    version: str = ""
    version_in: str = ""


# -- queueing ---------------------------------------------------------------------------


def queue_after_commit(revision: Revision) -> None:
    """Queue the unverified blobs of a revision, the largest first, once it is recorded."""
    transaction.on_commit(
        lambda: queue(Blob.objects.unverified().filter(files__revision=revision).distinct())
    )


def ask_again(blobs: "models.QuerySet[Blob]") -> None:
    """Queue a fresh check of these blobs, whatever is known of them."""
    now = timezone.now()
    Blob.objects.filter(pk__in=blobs.values("pk")).update(check_due_at=now, attempts=0)
    queue(blobs)


def queue(blobs: "models.QuerySet[Blob]") -> int:
    """Send blobs to the workers; the number sent. Without a broker they wait for the sweep."""
    sent: list[int] = []
    for blob_id in blobs.order_by("-size", "pk").values_list("pk", flat=True):
        if not queue_now("weights.verify_blob", blob_id):
            break
        sent.append(blob_id)
    _note_queued(sent)
    return len(sent)


def _note_queued(blob_ids: list[int]) -> None:
    """Keep the sweep from sending these again soon; a check that is done already stays done."""
    again = timezone.now() + QUEUED_FOR
    for start in range(0, len(blob_ids), QUEUED_AT_ONCE):
        batch = blob_ids[start : start + QUEUED_AT_ONCE]
        Blob.objects.filter(_DUE, pk__in=batch).update(check_due_at=again)


def sweep() -> None:
    """Queue what is due or was lost, and settle revisions whose blobs are all good."""
    due = Blob.objects.due_for_check(timezone.now()).order_by("-size", "pk")
    blob_ids = list(due.values_list("pk", flat=True)[:QUEUED_AT_ONCE])
    queue(Blob.objects.filter(pk__in=blob_ids))
    for revision in Revision.objects.awaiting_verification():
        settle(revision)


def begin_again(sha256: str) -> None:
    """Good bytes were put in the place of lost or bad ones: they are to be proved anew."""
    Blob.objects.filter(sha256=sha256).update(
        state=Blob.State.UPLOADED,
        quarantine_reason="",
        leased_until=None,
        attempts=0,
        check_due_at=timezone.now(),
    )


# -- one blob ---------------------------------------------------------------------------


def verify(blob_id: int, *, storage: BlobStorage | None = None, worker: str = "") -> None:
    """Read a due blob and record what came of it; nothing to do is done at once.

    A blob that another worker reads is left to it. An unreadable store is tried again later.
    """
    lease = _lease(blob_id)
    if lease is None:
        return
    blob = Blob.objects.get(pk=blob_id)
    run = _begin_run(blob, worker)
    started = time.monotonic()
    try:
        finding = _read(_Reading(blob, run, lease), storage or blob_storage())
        _conclude(blob, run, finding, seconds=time.monotonic() - started)
    except LeaseLost:
        _abandon(VerificationRun.objects.filter(pk=run.pk))
        return
    for revision in Revision.objects.awaiting_verification().filter(files__blob=blob).distinct():
        settle(revision)


def _lease(blob_id: int) -> datetime | None:
    """Claim a due blob; None when it isn't due or another worker holds it."""
    now = timezone.now()
    free = models.Q(leased_until=None) | models.Q(leased_until__lte=now)
    claimed = Blob.objects.filter(_DUE, free, pk=blob_id).update(
        leased_until=now + LEASE, attempts=models.F("attempts") + 1
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


class _Reading:
    """A blob being read under a lease, which is renewed as the bytes go by."""

    def __init__(self, blob: Blob, run: VerificationRun, lease: datetime) -> None:
        self.blob = blob
        self._run = run
        self._lease = lease
        self._next_sign = time.monotonic() + SIGN_OF_LIFE

    def advanced(self, bytes_read: int) -> None:
        """Show how far it is, now and then; raises LeaseLost if another took over."""
        if time.monotonic() < self._next_sign:
            return
        self._next_sign = time.monotonic() + SIGN_OF_LIFE
        VerificationRun.objects.filter(pk=self._run.pk).update(bytes_read=bytes_read)
        lease = timezone.now() + LEASE
        held = Blob.objects.filter(pk=self.blob.pk, leased_until=self._lease)
        if not held.update(leased_until=lease):
            raise LeaseLost
        self._lease = self.blob.leased_until = lease


def _read(reading: _Reading, storage: BlobStorage) -> Finding:
    blob = reading.blob
    try:
        sha256, size, version = _hash(reading, storage)
    except BlobMissing:
        return Finding(Result.MISSING, "the store does not hold it")
    except (StorageUnavailable, OSError) as error:
        return Finding(Result.UNREADABLE, f"the store could not be read: {error}")
    if size != blob.size:
        reason = f"it has {size} bytes in the store instead of {blob.size}"
        return Finding(Result.MISMATCH, reason, sha256, size)
    if sha256 != blob.sha256:
        reason = f"its bytes in the store have SHA-256 {sha256} instead of {blob.sha256}"
        return Finding(Result.MISMATCH, reason, sha256, size)
    store = storage.address if version else ""
    return Finding(Result.VERIFIED, "", sha256, size, version, store)


def _hash(reading: _Reading, storage: BlobStorage) -> tuple[str, int, str]:
    """SHA-256, size and version of what the store holds, through one small buffer."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(BUFFER))
    size = 0
    with storage.open(reading.blob.sha256) as stream:
        while count := stream.readinto(buffer):  # type: ignore[attr-defined]
            digest.update(buffer[:count])
            size += count
            reading.advanced(size)
        version = getattr(stream, "version", "")
    return digest.hexdigest(), size, version


@transaction.atomic
def _conclude(blob: Blob, run: VerificationRun, finding: Finding, *, seconds: float) -> None:
    """Result, state and audit event together, if the lease still holds."""
    locked = Blob.objects.select_for_update().get(pk=blob.pk)
    if locked.leased_until != blob.leased_until:
        raise LeaseLost
    run.result = finding.result
    run.found_sha256 = finding.sha256
    run.bytes_read = finding.bytes_read
    run.detail = finding.reason[:500]
    run.seconds = seconds
    run.finished_at = timezone.now()
    run.save()
    if finding.result == Result.VERIFIED:
        _accept(locked, finding)
    elif finding.result == Result.UNREADABLE:
        _try_later(locked, finding.reason)
    else:
        _quarantine(locked, finding.reason)


def _accept(blob: Blob, finding: Finding) -> None:
    blob.state = Blob.State.VERIFIED
    blob.version, blob.version_in = finding.version, finding.version_in
    blob.quarantine_reason = ""
    blob.last_verified_at = timezone.now()
    blob.leased_until = blob.check_due_at = None
    blob.attempts = 0
    blob.save()
    AuditEvent.record("blob.verified", target=blob, details={"sha256": blob.sha256})


def _try_later(blob: Blob, reason: str) -> None:
    """The sweep tries again, ever more seldom; after some tries the revisions say why."""
    wait = min(timedelta(seconds=5 * 2**blob.attempts), RETRY_AT_MOST)
    blob.leased_until = None
    blob.check_due_at = timezone.now() + wait
    blob.save()
    log.warning("%s: %s; try %s, next in %s", blob, reason, blob.attempts, wait)
    if blob.attempts >= TRIES:
        _fail_revisions(blob, reason)


def _quarantine(blob: Blob, reason: str) -> None:
    blob.state = Blob.State.QUARANTINED
    blob.quarantine_reason = reason[:500]
    blob.leased_until = blob.check_due_at = None
    blob.save()
    details = {"sha256": blob.sha256, "reason": reason}
    AuditEvent.record("blob.quarantined", target=blob, result="failed", details=details)
    log.error("%s quarantined: %s", blob, reason)
    _fail_revisions(blob, reason)


def _fail_revisions(blob: Blob, reason: str) -> None:
    """Revisions that wait for this blob say why they stay invisible."""
    files = File.objects.filter(blob=blob, revision__state=Revision.State.PENDING)
    for file in files.select_related("revision").order_by("revision", "path"):
        failed = Revision.objects.filter(pk=file.revision_id, state=Revision.State.PENDING)
        why = f"{file.path}: {reason}"
        if failed.update(state=Revision.State.FAILED, state_reason=why[:500]):
            details = {"sha": file.revision.sha, "path": file.path, "reason": reason}
            AuditEvent.record(
                "revision.failed", target=file.revision, result="failed", details=details
            )


# -- one revision -----------------------------------------------------------------------


def settle(revision: Revision) -> bool:
    """Make a revision visible if all its blobs are verified; whether it is visible now."""
    if revision.state == Revision.State.VISIBLE:
        return True
    if revision.files.exclude(blob__state=Blob.State.VERIFIED).exists():
        return False
    contents.note(revision)
    return _show(revision)


@transaction.atomic
def _show(revision: Revision) -> bool:
    checkpoint = Checkpoint.objects.select_for_update().get(pk=revision.checkpoint_id)
    now = timezone.now()
    waiting = Revision.objects.awaiting_verification().filter(pk=revision.pk)
    if waiting.update(state=Revision.State.VISIBLE, state_reason="", visible_at=now):
        refs.point(revision, branch=revision.branch, tag=revision.tag)
        Checkpoint.objects.filter(pk=checkpoint.pk).update(
            published_at=Coalesce("published_at", now), updated_at=now
        )
        details = {"checkpoint": checkpoint.repo_id, "sha": revision.sha}
        AuditEvent.record("revision.visible", target=revision, details=details)
    revision.refresh_from_db(fields=["state", "state_reason", "visible_at"])
    return revision.state == Revision.State.VISIBLE


# -- what to say of it ------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """How far the check of some revisions is; sizes in bytes, failures as (file, reason)."""

    counts: dict[str, int]
    bytes_done: int
    bytes_all: int
    failures: list[tuple[str, str]]

    @property
    def waiting(self) -> int:
        """Blobs whose check has no result yet."""
        return self.counts["waiting"]


def standing(revisions: Iterable[Revision]) -> Standing:
    """Counts by result over the blobs of these revisions, and what failed."""
    ids = [revision.pk for revision in revisions]
    blobs = Blob.objects.filter(files__revision__in=ids).distinct()
    counts = {"verified": 0, "quarantined": 0, "unreadable": 0, "waiting": 0}
    done = everything = 0
    reasons: dict[int, str] = {}
    for blob in blobs:
        word = _word(blob)
        counts[word] += 1
        everything += blob.size
        done += blob.size if word != "waiting" else 0
        if word in {"quarantined", "unreadable"}:
            reasons[blob.pk] = blob.quarantine_reason or _last_detail(blob)
    running = VerificationRun.objects.filter(result=Result.RUNNING, blob__in=blobs.values("pk"))
    done += running.aggregate(read=models.Sum("bytes_read"))["read"] or 0
    return Standing(counts, done, everything, _failures(ids, reasons))


def _word(blob: Blob) -> str:
    if blob.check_due_at is not None and 0 < TRIES <= blob.attempts:
        return "unreadable"
    if blob.check_due_at is not None or blob.state in UNVERIFIED:
        return "waiting"
    return "quarantined" if blob.state == Blob.State.QUARANTINED else "verified"


def _last_detail(blob: Blob) -> str:
    last = blob.runs.exclude(detail="").first()
    return last.detail if last else ""


def _failures(revision_ids: list[int], reasons: dict[int, str]) -> list[tuple[str, str]]:
    files = File.objects.filter(revision__in=revision_ids, blob__in=reasons)
    named = files.select_related("revision__checkpoint").order_by("revision", "path")
    return [
        (f"{file.revision.checkpoint.repo_id}/{file.path}", reasons[file.blob_id]) for file in named
    ]


def revisions_to_verify(checkpoint: Checkpoint | None) -> "models.QuerySet[Revision]":
    """What is visible or on its way, of one checkpoint or of all.

    A failed revision counts until a later one of its branch took its place.
    """
    revisions = Revision.objects.exclude(state=Revision.State.WITHDRAWN)
    if checkpoint is not None:
        revisions = revisions.filter(checkpoint=checkpoint)
    later = Revision.objects.visible().filter(
        checkpoint=models.OuterRef("checkpoint"),
        branch=models.OuterRef("branch"),
        pk__gt=models.OuterRef("pk"),
    )
    return revisions.exclude(models.Exists(later), state=Revision.State.FAILED)
