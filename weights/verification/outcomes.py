"""What becomes of a blob, and of revisions that wait for it, when a pass has ended."""

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.background import queue_after_commit
from accounts.models import AuditEvent
from weights import recalls
from weights.models import Blob, File, Revision, VerificationRun
from weights.verification.reading import Finding, LeaseLost

log = logging.getLogger(__name__)

Result = VerificationRun.Result
#: What a second look may find otherwise.
_MAY_ERR = {Result.MISMATCH, Result.MISSING}

#: Tries at an unreadable store before its revisions are said to have failed; the sweep goes on.
TRIES = 8
RETRY_AT_MOST = timedelta(hours=1)
#: A blob that was good before is read so often again before it counts as bad: memory, cables
#: and caches err too. It is given to nobody meanwhile.
REREADS = 3


@transaction.atomic
def conclude(blob: Blob, run: VerificationRun, finding: Finding, *, seconds: float) -> None:
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
    elif finding.result in _MAY_ERR and _was_good(locked) and locked.doubts < REREADS:
        _doubt(locked, finding.reason)
    else:
        _quarantine(locked, finding)


def _accept(blob: Blob, finding: Finding) -> None:
    if blob.held:
        _keep_held(blob)
        return
    blob.state = Blob.State.VERIFIED
    blob.version, blob.mark, blob.version_in = finding.version, finding.mark, finding.version_in
    blob.quarantine_reason = ""
    blob.last_verified_at = timezone.now()
    blob.leased_until = blob.check_due_at = None
    blob.attempts = blob.doubts = 0
    blob.save()
    AuditEvent.record("blob.verified", target=blob, details={"sha256": blob.sha256})
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
    blob.leased_until = blob.check_due_at = None
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
        failed = Revision.objects.filter(pk=file.revision_id, state=Revision.State.PENDING)
        why = f"{file.path}: {reason}"
        if failed.update(state=Revision.State.FAILED, state_reason=why[:500]):
            details = {"sha": file.revision.sha, "path": file.path, "reason": reason}
            AuditEvent.record(
                "revision.failed", target=file.revision, result="failed", details=details
            )
