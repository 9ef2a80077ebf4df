"""Look over the store without reading it: what is missing, what nobody names, what was written to.

Judged is what people are given. Where that is one version of an object, newer bytes over it, or
a removal, condemn nothing; they are told of as such.

A survey writes nothing until it has ended, then all at once: a kill leaves the last one's
findings. Nothing in the store is ever deleted by it.
"""

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from weights.errors import StorageUnavailable
from weights.integrity import suspension
from weights.integrity.models import StoreFinding, StoreSurvey
from weights.storage import BlobStorage, Stored, blob_storage
from weights.storage.models import Blob
from weights.storage.protocol import blob_key

log = logging.getLogger(__name__)

Kind = StoreFinding.Kind

#: How long a survey may be silent before another begins anew.
LEASE = timedelta(minutes=3)
SIGN_OF_LIFE = 20.0
#: What stands in the store for less may belong to a publication that is not recorded yet.
YOUNG = timedelta(hours=24)
#: Findings of a kind that are listed one by one; more are counted.
LISTED = 1000
#: After a survey that came to nothing, the next one follows so soon.
AGAIN = timedelta(minutes=10)
KEPT = timedelta(days=90)
_BATCH = 500
#: Questions to a remote store at once: one for each blob, by which it tells size, mark, checksum.
_ASKED_AT_ONCE = 8


@dataclass
class _Seen:
    """What one walk through the store came to."""

    stored: int = 0
    stored_bytes: int = 0
    blobs: set[int] = field(default_factory=set)
    changed: list[tuple[int, str]] = field(default_factory=list)
    #: Blobs of which only the ctime changed.
    touched: list[int] = field(default_factory=list)
    orphaned: int = 0
    orphans: dict[str, int] = field(default_factory=dict)
    #: What lies over the version that people are given, by key, in bytes; 0 for a removal.
    overlaid: dict[str, int] = field(default_factory=dict)

    def judge(
        self, blob: Blob, newest: Stored, served: Stored | None, storage: BlobStorage
    ) -> None:
        """Note what the store says of a verified blob: of the newest, and of what is given out."""
        version = blob.served_version(storage)
        if served is None:
            if version:
                self.changed.append((blob.pk, "the version that was verified is gone"))
        elif why := blob.change(served, storage.address):
            self.changed.append((blob.pk, why))
        elif blob.is_touched(served, storage.address):
            self.touched.append(blob.pk)
        elif version and (newest.size, newest.mark) != (served.size, served.mark):
            self.overlaid[newest.key] = newest.size


class _Superseded(Exception):
    """Another survey has begun, for this one was silent for too long."""


def last_one() -> StoreSurvey | None:
    """The last survey that has ended, well or not."""
    return StoreSurvey.objects.exclude(finished_at=None).first()


def is_due(now: datetime) -> bool:
    last = last_one()
    if last is None or last.store != blob_storage().address:
        return True
    pause = AGAIN if last.trouble else timedelta(hours=settings.SURVEY_HOURS)
    return last.started_at + pause <= now


def last_good() -> StoreSurvey | None:
    """The last survey of which something could be concluded."""
    return StoreSurvey.objects.exclude(finished_at=None).filter(trouble="").first()


def survey(storage: BlobStorage | None = None) -> StoreSurvey | None:
    """Look over the whole store now; None while somebody else does.

    What was written to is closed and read anew at once, what is missing is looked for by a
    check, and what was only touched is read soon. A store that does not answer, or that lacks
    most of what it should hold (another disk or another prefix), is told as `trouble`, and
    nothing is concluded from it.
    """
    storage = storage or blob_storage()
    begun = _begin(storage.address)
    if begun is None:
        return None
    try:
        seen = _walk(begun, storage)
        missing = _missing(begun, seen, storage)
        trouble = _trouble(len(missing), len(seen.blobs))
    except _Superseded:
        return None
    except StorageUnavailable as error:
        # A store that nothing was ever put into need not be there.
        return _end(begun, _Seen(), [], str(error) if Blob.objects.exists() else "")
    return _end(begun, seen, missing, trouble)


def _begin(store: str) -> StoreSurvey | None:
    now = timezone.now()
    StoreSurvey.objects.filter(finished_at=None, leased_until__lte=now).delete()
    StoreSurvey.objects.filter(started_at__lt=now - KEPT).delete()
    try:
        with transaction.atomic():
            return StoreSurvey.objects.create(store=store, started_at=now, leased_until=now + LEASE)
    except IntegrityError:
        return None


def _walk(begun: StoreSurvey, storage: BlobStorage) -> _Seen:
    seen = _Seen()
    old = begun.started_at - YOUNG
    for batch in _batches(_alive(begun, storage.everything())):
        known = _known(batch)
        served = _served(known, storage)
        for one in batch:
            seen.stored += 1
            seen.stored_bytes += one.size
            blob = known.get(one.key)
            if blob is not None:
                seen.blobs.add(blob.pk)
                if blob.state == Blob.State.VERIFIED:
                    seen.judge(blob, one, served.get(one.key, one), storage)
            elif one.modified < old:
                seen.orphaned += 1
                if len(seen.orphans) < LISTED:
                    seen.orphans[one.key] = one.size
    return seen


def _batches(stored: Iterable[Stored]) -> Iterator[list[Stored]]:
    stored = iter(stored)
    while batch := list(itertools.islice(stored, _BATCH)):
        yield batch


def _alive(begun: StoreSurvey, stored: Iterable[Stored]) -> Iterator[Stored]:
    """The same, with a sign of life now and then; raises _Superseded."""
    last = time.monotonic()
    for one in stored:
        if time.monotonic() > last + SIGN_OF_LIFE:
            last = time.monotonic()
            ours = StoreSurvey.objects.filter(pk=begun.pk, finished_at=None)
            if not ours.update(leased_until=timezone.now() + LEASE):
                raise _Superseded
        yield one


def _known(batch: list[Stored]) -> dict[str, Blob]:
    """By their place in the store, the blobs that belong there: one query."""
    names = {one.key.rpartition("/")[2] for one in batch}
    wanted = ("sha256", "size", "state", "mark", "version", "version_in")
    blobs = Blob.objects.filter(sha256__in=names).only(*wanted)
    return {blob_key(blob.sha256): blob for blob in blobs}


def _served(known: dict[str, Blob], storage: BlobStorage) -> dict[str, Stored | None]:
    """What a remote store says of the verified ones as people are given them, by key.

    A list of a bucket tells neither checksums nor older versions.
    """
    if storage.is_local:
        return {}
    verified = {key: blob for key, blob in known.items() if blob.state == Blob.State.VERIFIED}
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        return dict(zip(verified, pool.map(_looker(storage), verified.values()), strict=True))


def _looker(storage: BlobStorage) -> Callable[[Blob], Stored | None]:
    return lambda blob: storage.look(blob.sha256, blob.served_version(storage))


def _missing(begun: StoreSurvey, seen: _Seen, storage: BlobStorage) -> list[Blob]:
    """Blobs older than the survey that it has not met, each looked for once more.

    One whose served version still stands under a removal is none of them.
    """
    wanted = ("sha256", "size", "version", "version_in")
    older = Blob.objects.filter(created_at__lt=begun.started_at).only(*wanted)
    unmet = [blob for blob in older.iterator() if blob.pk not in seen.blobs]
    if _trouble(len(unmet), len(seen.blobs)):
        return unmet
    missing = []
    for blob in unmet:
        if _looker(storage)(blob) is None:
            missing.append(blob)
        elif blob.served_version(storage):
            seen.overlaid[blob_key(blob.sha256)] = 0
    return missing


def _trouble(missing: int, there: int) -> str:
    if missing > 1 and missing > there:
        return (
            f"it lacks {missing} of {missing + there} blobs, so it may be another store than the"
            " one they were put into; see that WEIGHTS_STORAGE and the disk are the right ones"
        )
    return ""


# -- what comes of it ---------------------------------------------------------------------


def _end(begun: StoreSurvey, seen: _Seen, missing: list[Blob], trouble: str) -> StoreSurvey | None:
    """Findings, counts and audit event at once; then checks are asked for."""
    with transaction.atomic():
        ours = StoreSurvey.objects.select_for_update().filter(pk=begun.pk, finished_at=None)
        survey = ours.first()
        if survey is None:
            return None
        survey.finished_at, survey.leased_until = timezone.now(), None
        survey.stored, survey.stored_bytes = seen.stored, seen.stored_bytes
        survey.changed, survey.orphaned = len(seen.changed), seen.orphaned
        survey.missing, survey.trouble = len(missing), trouble[:500]
        survey.overlaid = len(seen.overlaid)
        survey.save()
        if not trouble:
            lost = {blob_key(blob.sha256): blob.size for blob in missing[:LISTED]}
            _keep(Kind.MISSING, lost, survey.started_at)
            _keep(Kind.ORPHANED, seen.orphans, survey.started_at)
            overlaid = dict(itertools.islice(seen.overlaid.items(), LISTED))
            _keep(Kind.OVERLAID, overlaid, survey.started_at)
        names = ("stored", "changed", "missing", "overlaid", "orphaned", "trouble")
        details = {name: getattr(survey, name) for name in names}
        AuditEvent.record("store.surveyed", target=survey, details=details)
    if trouble:
        log.error("nothing is concluded from looking over %s: %s", survey.store, trouble)
    else:
        _have_checked(seen, missing)
    if seen.overlaid:
        log.error(
            "%s blobs of %s have newer bytes or a removal over the version that was verified;"
            " people are given the verified one",
            len(seen.overlaid),
            survey.store,
        )
    return survey


def _keep(kind: StoreFinding.Kind, found: dict[str, int], at: datetime) -> None:
    """The findings of this kind are these now; those known before keep their first day."""
    known = StoreFinding.objects.filter(kind=kind)
    known.exclude(key__in=found).delete()
    StoreFinding.objects.bulk_create(
        [
            StoreFinding(kind=kind, key=key, size=size, first_seen_at=at, last_seen_at=at)
            for key, size in found.items()
        ],
        update_conflicts=True,
        unique_fields=["kind", "key"],
        update_fields=["size", "last_seen_at"],
    )


def _have_checked(seen: _Seen, missing: list[Blob]) -> None:
    for pk, why in seen.changed:
        for blob in Blob.objects.filter(pk=pk):
            suspension.close(blob, why)
    for blob in [*(Blob(pk=pk) for pk in seen.touched), *missing]:
        suspension.ask(blob)


def findings() -> "models.QuerySet[StoreFinding]":
    """What the last good survey found, missing first."""
    return StoreFinding.objects.order_by("kind", "key")
