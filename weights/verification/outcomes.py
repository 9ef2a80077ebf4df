"""What becomes of a blob, and of revisions that wait for it, when a pass has ended."""

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import AuditEvent
from weights.models import Blob, File, Revision, VerificationRun
from weights.verification.reading import Finding, LeaseLost

log = logging.getLogger(__name__)

Result = VerificationRun.Result

#: Tries at an unreadable store before its revisions are said to have failed; the sweep goes on.
TRIES = 8
RETRY_AT_MOST = timedelta(hours=1)


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
