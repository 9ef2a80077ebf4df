"""Survey the store, without reading objects, for missing, orphaned, changed and overlaid ones.

If the portal serves a fixed version of an object, newer versions and delete markers are harmless
and only reported as overlaid. A survey stores its results in one transaction at the end, so a
killed survey leaves the previous findings. It never deletes anything in the store.
"""

import itertools
import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.background.batches import batches
from weights.errors import StorageUnavailable
from weights.event_tags import WeightsEvent
from weights.integrity import lease, suspension
from weights.integrity.lease import Lease, LeaseLost
from weights.integrity.models import StoreFinding, StoreSurvey
from weights.storage import BlobStorage, StoredObject, blob_storage
from weights.storage.models import Blob
from weights.storage.protocol import blob_key
from weights.uploads.models import Upload

log = logging.getLogger(__name__)

Kind = StoreFinding.Kind

#: Objects younger than this may belong to a publication that is not recorded yet.
YOUNG = timedelta(hours=24)
#: Maximum findings listed of each kind; the rest are only counted.
LISTED = 1000
#: The pause after a failed survey.
RETRY_AFTER = timedelta(minutes=10)
KEPT = timedelta(days=90)
_BATCH = 500
#: Concurrent HEAD requests to a remote store, one for each blob.
_HEADS_AT_ONCE = 8


@dataclass
class _Counts:
    """Results of one walk through the store."""

    stored: int = 0
    stored_bytes: int = 0
    blobs: set[int] = field(default_factory=set)
    changed: list[tuple[int, str]] = field(default_factory=list)
    #: Blobs whose ctime alone changed.
    touched: list[int] = field(default_factory=list)
    orphaned: int = 0
    orphans: dict[str, int] = field(default_factory=dict)
    #: Size in bytes of the version that hides the served one, by key; 0 for a delete marker.
    overlaid: dict[str, int] = field(default_factory=dict)

    def judge(
        self, blob: Blob, newest: StoredObject, served: StoredObject | None, storage: BlobStorage
    ) -> None:
        """Compare a verified blob with its newest and served versions in the store."""
        version = blob.served_version(storage)
        if served is None:
            if version:
                self.changed.append((blob.pk, "the verified version no longer exists"))
        elif reason := blob.change(served, storage.address):
            self.changed.append((blob.pk, reason))
        elif blob.is_touched(served, storage.address):
            self.touched.append(blob.pk)
        elif version and (newest.size, newest.mark) != (served.size, served.mark):
            self.overlaid[newest.key] = newest.size


def last_one() -> StoreSurvey | None:
    """The last finished survey, successful or not."""
    return StoreSurvey.objects.exclude(finished_at=None).first()


def is_due(now: datetime) -> bool:
    last = last_one()
    if last is None or last.store != blob_storage().address:
        return True
    pause = RETRY_AFTER if last.trouble else timedelta(hours=settings.SURVEY_HOURS)
    return last.started_at + pause <= now


def last_good() -> StoreSurvey | None:
    """The last successful survey."""
    return StoreSurvey.objects.exclude(finished_at=None).filter(trouble="").first()


def survey() -> StoreSurvey | None:
    """Survey the whole store now; returns None if another survey is running.

    Suspends changed blobs, and queues missing and touched ones for a check. If the store does not
    answer, or lacks most of its blobs (a wrong disk or prefix), reports `trouble` and discards
    the findings.
    """
    storage = blob_storage()
    running = _begin(storage.address)
    if running is None:
        return None
    try:
        counts = _walk(running, storage)
        missing = _missing(running, counts, storage)
        trouble = _trouble(len(missing), len(counts.blobs))
    except LeaseLost:
        return None
    except StorageUnavailable as error:
        # The store need not exist before the first publication.
        counts, missing = _Counts(), []
        trouble = str(error) if Blob.objects.exists() else ""
    try:
        return _end(running, counts, missing, trouble)
    except LeaseLost:
        return None


def _begin(store: str) -> Lease[StoreSurvey] | None:
    now = timezone.now()
    StoreSurvey.objects.filter(finished_at=None, leased_until__lte=now).delete()
    StoreSurvey.objects.filter(started_at__lt=now - KEPT).delete()
    try:
        with transaction.atomic():
            running = StoreSurvey.objects.create(store=store, started_at=now)
            return lease.acquire(StoreSurvey.objects.all(), running.pk)
    except IntegrityError:  # one survey of a store at a time
        return None


def _walk(running: Lease[StoreSurvey], storage: BlobStorage) -> _Counts:
    counts = _Counts()
    old = running.row.started_at - YOUNG
    for batch in batches(_keep_alive(running, storage.list_objects()), _BATCH):
        blobs = _blobs(batch)
        served = _served(blobs, storage)
        old_keys = {one.key for one in batch if one.key not in blobs and one.modified < old}
        orphans = old_keys - _uploaded(old_keys)
        for one in batch:
            counts.stored += 1
            counts.stored_bytes += one.size
            blob = blobs.get(one.key)
            if blob is not None:
                counts.blobs.add(blob.pk)
                if blob.state == Blob.State.VERIFIED:
                    counts.judge(blob, one, served.get(one.key, one), storage)
            elif one.key in orphans:
                counts.orphaned += 1
                if len(counts.orphans) < LISTED:
                    counts.orphans[one.key] = one.size
    return counts


def _keep_alive(
    running: Lease[StoreSurvey], stored: Iterable[StoredObject]
) -> Iterator[StoredObject]:
    """Yields the objects and renews the lease meanwhile; raises LeaseLost."""
    for one in stored:
        running.renew_if_due()
        yield one


def _blobs(batch: list[StoredObject]) -> dict[str, Blob]:
    """The blobs stored under these keys, by key, with one query."""
    names = {one.key.rpartition("/")[2] for one in batch}
    wanted = ("sha256", "size", "state", "mark", "version", "version_in")
    blobs = Blob.objects.filter(sha256__in=names).only(*wanted)
    return {blob_key(blob.sha256): blob for blob in blobs}


def _uploaded(keys: set[str]) -> set[str]:
    """The keys of uploaded objects that a commit may still use; the upload sweep deletes them."""
    if not keys:
        return keys
    names = {key.rpartition("/")[2] for key in keys}
    uploads = Upload.objects.filter(sha256__in=names).values_list("sha256", flat=True)
    return {blob_key(sha256) for sha256 in uploads}


def _served(blobs: dict[str, Blob], storage: BlobStorage) -> dict[str, StoredObject | None]:
    """The served versions of verified blobs in a remote store, by key.

    A bucket's listing has neither checksums nor older versions.
    """
    if storage.is_local:
        return {}
    verified = {key: blob for key, blob in blobs.items() if blob.state == Blob.State.VERIFIED}
    with ThreadPoolExecutor(_HEADS_AT_ONCE) as pool:
        found = pool.map(lambda blob: _look(blob, storage), verified.values())
        return dict(zip(verified, found, strict=True))


def _look(blob: Blob, storage: BlobStorage) -> StoredObject | None:
    return storage.stat(blob.sha256, blob.served_version(storage))


def _missing(running: Lease[StoreSurvey], counts: _Counts, storage: BlobStorage) -> list[Blob]:
    """Blobs older than the survey that neither it nor a second lookup found.

    A blob whose served version still exists below a delete marker is overlaid, not missing.
    """
    wanted = ("sha256", "size", "version", "version_in")
    older = Blob.objects.filter(created_at__lt=running.row.started_at).only(*wanted)
    absent = [blob for blob in older.iterator() if blob.pk not in counts.blobs]
    if _trouble(len(absent), len(counts.blobs)):
        return absent
    missing = []
    for blob in absent:
        running.renew_if_due()
        if _look(blob, storage) is None:
            missing.append(blob)
        elif blob.served_version(storage):
            counts.overlaid[blob_key(blob.sha256)] = 0
    return missing


def _trouble(missing: int, present: int) -> str:
    if missing > 1 and missing > present:
        return (
            f"it lacks {missing} of {missing + present} blobs, so it may be a different store;"
            " check that WEIGHTS_STORAGE and the disk are the right ones"
        )
    return ""


# -- results ------------------------------------------------------------------------------


def _end(
    running: Lease[StoreSurvey], counts: _Counts, missing: list[Blob], trouble: str
) -> StoreSurvey:
    """Store findings, counts and audit event together, then request checks; raises LeaseLost."""
    with transaction.atomic():
        ended = running.lock()
        ended.finished_at, ended.leased_until = timezone.now(), None
        ended.stored, ended.stored_bytes = counts.stored, counts.stored_bytes
        ended.changed, ended.orphaned = len(counts.changed), counts.orphaned
        ended.missing, ended.trouble = len(missing), trouble[:500]
        ended.overlaid = len(counts.overlaid)
        ended.save()
        if not trouble:
            lost = {blob_key(blob.sha256): blob.size for blob in missing[:LISTED]}
            _replace_findings(Kind.MISSING, lost, ended.started_at)
            _replace_findings(Kind.ORPHANED, counts.orphans, ended.started_at)
            overlaid = dict(itertools.islice(counts.overlaid.items(), LISTED))
            _replace_findings(Kind.OVERLAID, overlaid, ended.started_at)
        names = ("stored", "changed", "missing", "overlaid", "orphaned", "trouble")
        details = {name: getattr(ended, name) for name in names}
        AuditEvent.record(WeightsEvent.STORE_SURVEYED, target=ended, details=details)
    _report(ended, trouble)
    if not trouble:
        _request_checks(counts, missing)
    return ended


def _report(ended: StoreSurvey, trouble: str) -> None:
    if trouble:
        log.error("discarded the survey of %s: %s", ended.store, trouble)
    if ended.overlaid:
        log.error(
            "%s blobs of %s have a newer version or a deletion above the verified version, which"
            " is still served",
            ended.overlaid,
            ended.store,
        )


def _replace_findings(kind: StoreFinding.Kind, found: dict[str, int], at: datetime) -> None:
    """Replace the findings of this kind (key -> bytes); recurring ones keep their first date."""
    earlier = StoreFinding.objects.filter(kind=kind)
    earlier.exclude(key__in=found).delete()
    StoreFinding.objects.bulk_create(
        [
            StoreFinding(kind=kind, key=key, size=size, first_seen_at=at, last_seen_at=at)
            for key, size in found.items()
        ],
        update_conflicts=True,
        unique_fields=["kind", "key"],
        update_fields=["size", "last_seen_at"],
    )


def _request_checks(counts: _Counts, missing: list[Blob]) -> None:
    for pk, reason in counts.changed:
        for blob in Blob.objects.filter(pk=pk):
            suspension.suspend_blob(blob, reason)
    for blob in [*(Blob(pk=pk) for pk in counts.touched), *missing]:
        suspension.request_check(blob)


def findings() -> "models.QuerySet[StoreFinding]":
    """The findings of the last good survey, missing objects first."""
    return StoreFinding.objects.order_by("kind", "key")
