"""Checks small new blobs in batches, since their queries cost more than their bytes."""

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from django.db import models, transaction
from django.db.models import F
from django.utils import timezone

from weights import recalls
from weights.errors import BlobMissing, StorageUnavailable
from weights.inspection.models import Inspection
from weights.integrity.lease import Lease, LeaseLost, acquire_all
from weights.integrity.models import VerificationRun
from weights.integrity.shutdown import Stopped
from weights.integrity.verification import check_blob, inspect_blob, outcomes
from weights.integrity.verification.hash_blob import Finding, Reading, hash_blob
from weights.integrity.verification.inspect_blob import NamedVerdict, StoredSource
from weights.integrity.verification.queueing import SMALL
from weights.integrity.verification.refusals import families_by_blob
from weights.storage import blob_storage
from weights.storage.models import Blob

log = logging.getLogger(__name__)

Result = VerificationRun.Result


class _Check(NamedTuple):
    """A check of bytes that match their hash."""

    run: VerificationRun
    finding: Finding
    verdicts: list[NamedVerdict]


def verify_batch(blob_ids: Collection[int], *, worker: str = "") -> None:
    """Check blobs like `verify`, but small new ones together, with few queries.

    A blob that does not pass, for whatever reason, is checked again on its own; only that check
    records a bad result. If the worker is killed, each blob gets its own check.
    """
    new = Blob.objects.unverified().filter(
        attempts=0, held=False, last_verified_at=None, size__lte=SMALL
    )
    done = set[int]()
    lease = acquire_all(new, blob_ids, attempts=F("attempts") + 1)
    if lease is not None:
        try:
            done = _verify_leased(lease, worker)
        except (LeaseLost, Stopped):
            outcomes.start_over(lease, paced=False)
            return
        except Exception:  # a bug; individual checks will show which blob triggers it
            log.exception("a batch of %d checks failed", len(lease.rows))
            lease.release(attempts=0)
        check_blob.settle_revisions(done)
    for blob_id in blob_ids:
        if blob_id not in done:
            check_blob.verify(blob_id, worker=worker)


def _verify_leased(lease: Lease[Blob], worker: str) -> set[int]:
    """Check the leased blobs; returns the ids of those that passed. Raises LeaseLost, Stopped."""
    runs = check_blob.begin_runs(lease.rows, worker)
    try:
        Blob.objects.transition_all("hash", {blob: {} for blob in lease.rows})
        started = time.monotonic()
        checks = _checks(lease, runs)
        seconds = (time.monotonic() - started) / len(runs)
        return _conclude(lease, checks, runs, seconds)
    except (LeaseLost, Stopped):
        check_blob.abandon(VerificationRun.objects.filter(pk__in=[run.pk for run in runs]))
        raise


def _checks(lease: Lease[Blob], runs: Sequence[VerificationRun]) -> dict[int, _Check]:
    """Checks of blobs that match their hash and could be inspected, by blob id."""
    storage, families = blob_storage(), families_by_blob(lease.rows)
    checks = {}
    for run in runs:
        finding = hash_blob(Reading(lease, run), storage)
        if finding.result != Result.VERIFIED:
            continue
        source = StoredSource(lease, run.blob, storage, finding.version)
        try:
            verdicts = inspect_blob.inspect_as(families[run.blob_id], source)
        except (BlobMissing, StorageUnavailable, OSError):
            continue
        checks[run.blob_id] = _Check(run, finding, verdicts)
    return checks


@transaction.atomic
def _conclude(
    lease: Lease[Blob],
    checks: Mapping[int, _Check],
    runs: Sequence[VerificationRun],
    seconds: float,
) -> set[int]:
    """Store the checks of the blobs that pass, and delete the runs of the others."""
    found = [blob for blob in lease.lock_all() if blob.pk in checks and not blob.held]
    inspect_blob.save({blob: checks[blob.pk].verdicts for blob in found})
    inspections = Inspection.objects.filter(blob__in=found)
    refused = set(inspections.refusing().values_list("blob", flat=True))
    passed = {blob.pk: blob for blob in found if blob.pk not in refused}
    _verify(passed, checks, inspections)
    now = timezone.now()
    ended = [checks[pk] for pk in passed]
    for run, finding, _verdicts in ended:
        run.result, run.seconds, run.finished_at = Result.VERIFIED, seconds, now
        run.found_sha256, run.bytes_read = finding.sha256, finding.bytes_read
    VerificationRun.objects.bulk_create(
        [check.run for check in ended],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["result", "seconds", "finished_at", "found_sha256", "bytes_read"],
    )
    others = VerificationRun.objects.filter(pk__in=[run.pk for run in runs])
    others.exclude(result=Result.VERIFIED).delete()
    lease.release(attempts=0)  # this attempt does not count for the individual checks
    return set(passed)


def _verify(
    passed: Mapping[int, Blob],
    checks: Mapping[int, _Check],
    inspections: "models.QuerySet[Inspection]",
) -> None:
    details: dict[Blob, dict[str, Any]] = {blob: {"formats": {}} for blob in passed.values()}
    for blob_id, kind, outcome in inspections.values_list("blob", "kind", "outcome"):
        if blob_id in passed:
            details[passed[blob_id]]["formats"][kind] = outcome
    for blob in details:
        finding = checks[blob.pk].finding
        blob.version, blob.mark, blob.version_in = finding.version, finding.mark, finding.version_in
    Blob.objects.bulk_update(details, ["version", "mark", "version_in"])
    Blob.objects.transition_all(
        "verify",
        details,
        quarantine_reason="",
        last_verified_at=timezone.now(),
        **(outcomes.ENDED | outcomes.GOOD),
    )
    recalls.close_restored(details)
