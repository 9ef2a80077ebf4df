"""Record the result of a check in the blob's state and the revisions that wait for it."""

import logging
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.background.queueing import queue_after_commit
from weights import recalls
from weights.event_tags import WeightsEvent
from weights.inspection.models import Inspection
from weights.integrity.lease import Lease
from weights.integrity.models import VerificationRun
from weights.integrity.verification import inspect_blob
from weights.integrity.verification.hash_blob import Finding
from weights.integrity.verification.inspect_blob import NamedVerdict
from weights.integrity.verification.refusals import refusal_reason
from weights.publishing.models import File, Revision
from weights.storage.models import Blob
from weights.task_names import WeightsTask

log = logging.getLogger(__name__)

Result = VerificationRun.Result
#: Checks without a result after which waiting revisions fail; the sweep keeps trying.
TRIES = 8
RETRY_AT_MOST = timedelta(hours=1)
INSPECT_AGAIN = timedelta(minutes=5)
#: Bytes that were good before are re-read this many times before they count as bad, since memory,
#: cables and caches can fail too. They are not served meanwhile.
REREADS = 3
#: Field values of a blob whose check has ended, and of one whose bytes are good.
ENDED: dict[str, Any] = {"leased_until": None, "check_due_at": None, "inspect_due_at": None}
GOOD: dict[str, Any] = {"attempts": 0, "doubts": 0}


@transaction.atomic
def conclude(
    lease: Lease[Blob],
    run: VerificationRun,
    finding: Finding,
    verdicts: list[NamedVerdict],
    *,
    seconds: float,
) -> None:
    """Store run, verdicts, state and audit event together; raises LeaseLost."""
    blob = lease.lock()
    run.result, run.detail = finding.result, finding.reason[:500]
    run.found_sha256, run.bytes_read = finding.sha256, finding.bytes_read
    run.seconds, run.finished_at = seconds, timezone.now()
    run.save()
    if finding.result == Result.VERIFIED:
        inspect_blob.save({blob: verdicts})
        _accept_bytes(blob, finding)
    elif finding.result == Result.UNREADABLE:
        _retry_later(blob, finding.reason)
    elif blob.was_good and blob.doubts < REREADS:
        _doubt(blob, finding.reason)
    else:
        _quarantine(blob, finding)


def start_over(lease: Lease[Blob], *, paced: bool) -> None:
    """Leave a stopped check to the sweep, or a stopped scrub of a verified blob to the next one.

    It is not queued now, because the stopping worker might take it again.
    """
    is_scrub = paced and lease.row.state == Blob.State.VERIFIED
    lease.release(attempts=0, check_due_at=None if is_scrub else timezone.now())


@transaction.atomic
def fail_without_result(lease: Lease[Blob]) -> None:
    """Fail the revisions of a blob whose checks never have a result, as if they killed the worker.

    The blob is then retried hourly, since something else may have killed the workers.
    """
    lease.renew(check_due_at=timezone.now() + RETRY_AT_MOST)
    log.error("%s: %d checks had no result", lease.row, lease.row.attempts - 1)
    fail_revisions(lease.row, "its checks end without a result; see the workers' log")


@transaction.atomic
def conclude_inspection(lease: Lease[Blob], verdicts: list[NamedVerdict]) -> None:
    """Store the verdicts on a blob whose bytes were not read again; raises LeaseLost."""
    blob = lease.lock()
    inspect_blob.save({blob: verdicts})
    inspect_blob.delete_outdated(blob)
    reason = refusal_reason(blob)
    is_quarantined = blob.state == Blob.State.QUARANTINED
    if reason and not is_quarantined and not blob.held:
        _refuse(blob, reason)
        return
    changes: dict[str, object] = {"leased_until": None, "inspect_due_at": None}
    if is_quarantined and not reason and not blob.held:  # a complete check lifts the refusal
        changes["check_due_at"] = timezone.now()
        queue_after_commit(WeightsTask.VERIFY_BLOB, blob.pk)
    _update(blob, **changes)


def inspect_later(lease: Lease[Blob], reason: str) -> None:
    """Let the sweep request the inspection again, since the store did not answer."""
    log.warning("%s is not inspected yet: %s", lease.row, reason)
    lease.release(inspect_due_at=timezone.now() + INSPECT_AGAIN)


def _accept_bytes(blob: Blob, finding: Finding) -> None:
    """Verify a blob with good bytes, unless it is in manual quarantine or its format is refused."""
    read: dict[str, Any] = {
        "version": finding.version,
        "mark": finding.mark,
        "version_in": finding.version_in,
    }
    reason = refusal_reason(blob)
    if blob.held:
        _update(blob, leased_until=None, check_due_at=None, attempts=0, **read)
    elif reason:
        _refuse(blob, reason, **read)
    else:
        _verify(blob, **read)


def _refuse(blob: Blob, reason: str, **read: Any) -> None:
    """Quarantine intact bytes that could do harm when loaded.

    People who downloaded them are not notified, since stricter rules prove nothing about the past.
    An owner who considers them harmful can recall them (`manual_quarantine.hold`).
    """
    refusing = Inspection.objects.refusing().filter(blob=blob)
    imports = {one.family: one.imports for one in refusing if one.imports}
    details = {"reason": reason, "imports": imports}
    blob.transition(
        "refuse", details=details, quarantine_reason=reason[:500], **ENDED, **GOOD, **read
    )
    log.error("%s refused: %s", blob, reason)
    fail_revisions(blob, reason)


def _verify(blob: Blob, **read: Any) -> None:
    formats = dict(Inspection.objects.filter(blob=blob).values_list("kind", "outcome"))
    blob.transition(
        "verify",
        details={"formats": formats},
        quarantine_reason="",
        last_verified_at=timezone.now(),
        **ENDED,
        **GOOD,
        **read,
    )
    recalls.close_restored([blob])


def _doubt(blob: Blob, reason: str) -> None:
    """Stop serving a blob that seems bad, and queue another check at once."""
    doubts = blob.doubts + 1
    blob.transition(
        "doubt",
        details={"reason": reason, "time": doubts},
        doubts=doubts,
        leased_until=None,
        check_due_at=timezone.now(),
        attempts=0,
    )
    log.error("%s may be damaged and is read again: %s", blob, reason)
    queue_after_commit(WeightsTask.VERIFY_BLOB, blob.pk)


def _retry_later(blob: Blob, reason: str) -> None:
    """Let the sweep retry with exponential backoff; after TRIES the revisions fail."""
    wait = min(timedelta(seconds=5 * 2**blob.attempts), RETRY_AT_MOST)
    _update(blob, leased_until=None, check_due_at=timezone.now() + wait)
    log.warning("%s: %s; try %s, next in %s", blob, reason, blob.attempts, wait)
    if blob.attempts >= TRIES:
        fail_revisions(blob, reason)


def _quarantine(blob: Blob, finding: Finding) -> None:
    reason = finding.reason if not blob.held else blob.quarantine_reason
    served_bad_bytes = blob.was_good and finding.result != Result.MISSING
    blob.transition(
        "quarantine", details={"reason": reason}, quarantine_reason=reason[:500], **ENDED
    )
    log.error("%s quarantined: %s", blob, reason)
    fail_revisions(blob, reason)
    if served_bad_bytes:
        recalls.open_by_check(blob, reason)


def _update(blob: Blob, **changes: object) -> None:
    """Save fields of a locked blob. Its state changes only through transitions."""
    Blob.objects.filter(pk=blob.pk).update(**changes)
    for field, value in changes.items():
        setattr(blob, field, value)


def fail_revisions(blob: Blob, reason: str) -> None:
    """Fail the revisions that wait for this blob, each with the file and the reason."""
    files = File.objects.filter(blob=blob, revision__state=Revision.State.PENDING)
    for file in files.select_related("revision").order_by("revision", "path"):
        fail(file.revision, f"{file.path}: {reason}")


def fail(revision: Revision, reason: str) -> None:
    """Fail a pending revision. Only the first reason is kept and recorded."""
    pending = Revision.objects.filter(pk=revision.pk, state=Revision.State.PENDING)
    if pending.update(state=Revision.State.FAILED, state_reason=reason[:500]):
        details = {"sha": revision.sha, "reason": reason}
        AuditEvent.record(
            WeightsEvent.REVISION_FAILED, target=revision, result="failed", details=details
        )
