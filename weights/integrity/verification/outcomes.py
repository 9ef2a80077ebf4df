"""What becomes of a blob, and of revisions that wait for it, when a pass has ended."""

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.background.queueing import queue_after_commit
from weights import recalls
from weights.inspection.models import Inspection
from weights.integrity.models import HashProgress, VerificationRun
from weights.integrity.verification import inspecting
from weights.integrity.verification.hashing import SAVED_EACH
from weights.integrity.verification.inspecting import Look
from weights.integrity.verification.leases import Lease
from weights.integrity.verification.reading import Finding
from weights.publishing.models import File, Revision
from weights.storage.models import Blob

log = logging.getLogger(__name__)

Result = VerificationRun.Result
#: What a second look may find otherwise.
_MAY_ERR = {Result.MISMATCH, Result.MISSING}

#: Tries at an unreadable store before its revisions are said to have failed; the sweep goes on.
TRIES = 8
RETRY_AT_MOST = timedelta(hours=1)
INSPECT_AGAIN = timedelta(minutes=5)
#: A blob that was good before is read so often again before it counts as bad: memory, cables
#: and caches err too. It is given to nobody meanwhile.
REREADS = 3


@transaction.atomic
def conclude(
    lease: Lease, run: VerificationRun, finding: Finding, looks: list[Look], *, seconds: float
) -> None:
    """Results, state and audit event together, if the lease still holds."""
    locked = lease.locked()
    run.result = finding.result
    run.found_sha256 = finding.sha256
    run.bytes_read, run.started_from = finding.bytes_read, finding.started_from
    run.detail = finding.reason[:500]
    run.seconds = seconds
    run.finished_at = timezone.now()
    run.save()
    if finding.result != Result.UNREADABLE and (finding.started_from or locked.size > SAVED_EACH):
        HashProgress.objects.filter(blob=locked).delete()
    if finding.result == Result.VERIFIED:
        locked.version, locked.mark = finding.version, finding.mark
        locked.version_in = finding.version_in
        inspecting.keep(locked, looks)
        _weigh(locked)
    elif finding.result == Result.UNREADABLE:
        _try_later(locked, finding.reason)
    elif finding.result in _MAY_ERR and _was_good(locked) and locked.doubts < REREADS:
        _doubt(locked, finding.reason)
    else:
        _quarantine(locked, finding)


@transaction.atomic
def hand_on(
    lease: Lease, run: VerificationRun, *, seconds: float, queued: bool, detail: str = ""
) -> None:
    """End a step whose time was up; the next one is queued, and found by the sweep if lost.

    Unless `queued`, a good blob is left as it was before: whoever reads at a pace comes again.
    """
    locked = lease.locked()
    VerificationRun.objects.filter(pk=run.pk).update(
        result=Result.HANDED_ON, detail=detail, seconds=seconds, finished_at=timezone.now()
    )
    locked.leased_until = None
    locked.attempts = 0
    if queued or locked.state != Blob.State.VERIFIED:
        locked.check_due_at = timezone.now()
        queue_after_commit("weights.verify_blob", locked.pk)
    else:
        locked.check_due_at = None
    locked.save()


@transaction.atomic
def told_by_no_worker(lease: Lease) -> None:
    """Say of a blob that its checks end without a result, as where each one kills its worker.

    It is tried on, once an hour: what killed the workers may have been something else.
    """
    lease.renew(check_due_at=timezone.now() + RETRY_AT_MOST)
    log.error("%s: %d checks of it had no result", lease.blob, lease.blob.attempts - 1)
    fail_revisions(lease.blob, "its checks end without a result; see the log of the workers")


@transaction.atomic
def conclude_inspection(lease: Lease, looks: list[Look]) -> None:
    """The same for a look at the names of bytes that nobody read whole again."""
    locked = lease.locked()
    inspecting.keep(locked, looks)
    inspecting.drop_outdated(locked)
    locked.leased_until = locked.inspect_due_at = None
    reason = inspecting.closing_reason(locked)
    if locked.held or bool(reason) == (locked.state == Blob.State.QUARANTINED):
        locked.save()
    elif reason:
        _refuse(locked, reason)
    else:  # no longer refused: a whole check puts it back
        locked.check_due_at = timezone.now()
        locked.save()
        queue_after_commit("weights.verify_blob", locked.pk)


def inspect_later(lease: Lease, reason: str) -> None:
    """The store did not answer: the sweep asks for the look once more."""
    log.warning("%s is not inspected yet: %s", lease.blob, reason)
    held = Blob.objects.filter(pk=lease.blob.pk, leased_until=lease.until)
    held.update(leased_until=None, inspect_due_at=timezone.now() + INSPECT_AGAIN)


def _weigh(blob: Blob) -> None:
    """Bytes that are what their name says: held, refused for what they are, or good."""
    reason = inspecting.closing_reason(blob)
    if blob.held:
        _keep_held(blob)
    elif reason:
        _refuse(blob, reason)
    else:
        _accept(blob)


def _refuse(blob: Blob, reason: str) -> None:
    """Whole bytes that would do harm where they are loaded: given to nobody.

    Whoever fetched them is not told: rules that grew stricter say nothing of these bytes' past.
    The owner who judges them harmful calls them back (`weights.integrity.quarantine.hold`).
    """
    blob.state = Blob.State.QUARANTINED
    blob.quarantine_reason = reason[:500]
    blob.leased_until = blob.check_due_at = blob.inspect_due_at = None
    blob.attempts = blob.doubts = 0
    blob.save()
    refusing = Inspection.objects.refusing().filter(blob=blob)
    details = {
        "sha256": blob.sha256,
        "reason": reason,
        "imports": {one.family: one.imports for one in refusing if one.imports},
    }
    AuditEvent.record("blob.refused", target=blob, result="failed", details=details)
    log.error("%s refused: %s", blob, reason)
    fail_revisions(blob, reason)


def _accept(blob: Blob) -> None:
    blob.state = Blob.State.VERIFIED
    blob.quarantine_reason = ""
    blob.last_verified_at = timezone.now()
    blob.leased_until = blob.check_due_at = blob.inspect_due_at = None
    blob.attempts = blob.doubts = 0
    blob.save()
    formats = dict(Inspection.objects.filter(blob=blob).values_list("kind", "outcome"))
    details = {"sha256": blob.sha256, "formats": formats}
    AuditEvent.record("blob.verified", target=blob, details=details)
    recalls.proved_good(blob)


def _keep_held(blob: Blob) -> None:
    """Its bytes are what their name says, and somebody still has a reason against them."""
    blob.leased_until = blob.check_due_at = None
    blob.attempts = 0
    blob.save()


def _was_good(blob: Blob) -> bool:
    return blob.last_verified_at is not None and blob.state != Blob.State.QUARANTINED


def _doubt(blob: Blob, reason: str) -> None:
    """Serve it to nobody, and read it once more at once."""
    blob.state = Blob.State.HASHING
    blob.doubts += 1
    blob.leased_until = None
    blob.check_due_at = timezone.now()
    blob.attempts = 0
    blob.save()
    details = {"sha256": blob.sha256, "reason": reason, "time": blob.doubts}
    AuditEvent.record("blob.doubted", target=blob, result="failed", details=details)
    log.error("%s may be damaged, read again: %s", blob, reason)
    queue_after_commit("weights.verify_blob", blob.pk)


def _try_later(blob: Blob, reason: str) -> None:
    """The sweep tries again, ever more seldom; after some tries the revisions say why."""
    wait = min(timedelta(seconds=5 * 2**blob.attempts), RETRY_AT_MOST)
    blob.leased_until = None
    blob.check_due_at = timezone.now() + wait
    blob.save()
    log.warning("%s: %s; try %s, next in %s", blob, reason, blob.attempts, wait)
    if blob.attempts >= TRIES:
        fail_revisions(blob, reason)


def _quarantine(blob: Blob, finding: Finding) -> None:
    reason = finding.reason if not blob.held else blob.quarantine_reason
    gave_out_bad_bytes = _was_good(blob) and finding.result != Result.MISSING
    blob.state = Blob.State.QUARANTINED
    blob.quarantine_reason = reason[:500]
    blob.leased_until = blob.check_due_at = blob.inspect_due_at = None
    blob.save()
    details = {"sha256": blob.sha256, "reason": reason}
    AuditEvent.record("blob.quarantined", target=blob, result="failed", details=details)
    log.error("%s quarantined: %s", blob, reason)
    fail_revisions(blob, reason)
    if gave_out_bad_bytes:
        recalls.open_by_check(blob, reason)


def fail_revisions(blob: Blob, reason: str) -> None:
    """Revisions that wait for this blob say why they stay invisible."""
    files = File.objects.filter(blob=blob, revision__state=Revision.State.PENDING)
    for file in files.select_related("revision").order_by("revision", "path"):
        fail(file.revision, f"{file.path}: {reason}")


def fail(revision: Revision, why: str) -> None:
    """Note why a revision stays invisible; the first reason stands, and is told once."""
    waiting = Revision.objects.filter(pk=revision.pk, state=Revision.State.PENDING)
    if waiting.update(state=Revision.State.FAILED, state_reason=why[:500]):
        details = {"sha": revision.sha, "reason": why}
        AuditEvent.record("revision.failed", target=revision, result="failed", details=details)
