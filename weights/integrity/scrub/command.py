"""`manage.py scrub`: runs all scrub turns now and reads every suspect blob completely."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import models
from django.utils import timezone

from weights.catalogue.models import Checkpoint
from weights.errors import StorageUnavailable
from weights.integrity import verification
from weights.integrity.models import StoreSurvey
from weights.integrity.scrub import turns
from weights.integrity.scrub.reading import due, is_unreadable, read, read_to_the_end
from weights.integrity.scrub.store_survey import survey
from weights.publishing.models import File, Revision
from weights.storage.models import Blob, BlobQuerySet

WORKER = "manage.py scrub"
#: Seconds to wait for a turn or a survey of another process.
PATIENCE = 90.0


def survey_now() -> StoreSurvey:
    """Survey the store; raises StorageUnavailable if the survey fails."""
    end = time.monotonic() + PATIENCE
    while (ended := survey()) is None:
        _wait_until(end, "another survey is still running")
    if ended.trouble:
        raise StorageUnavailable(f"the store was not read: {ended.trouble}")
    return ended


def ids_to_read(checkpoint: Checkpoint | None, *, everything: bool) -> list[int]:
    """Return the ids of blobs to read, least recently read first: due or all, and suspect ones."""
    read_before = Blob.objects.exclude(last_verified_at=None)
    in_doubt = read_before.exclude(check_due_at=None).exclude(state=Blob.State.QUARANTINED)
    chosen = due(timezone.now())
    if everything or checkpoint is not None:
        chosen = BlobQuerySet(Blob).filter(state=Blob.State.VERIFIED)
    both = Blob.objects.filter(models.Q(pk__in=chosen.values("pk")) | models.Q(pk__in=in_doubt))
    if checkpoint is not None:
        both = both.filter(files__revision__checkpoint=checkpoint).distinct()
    oldest = both.order_by(models.F("last_verified_at").asc(nulls_first=True), "pk")
    return list(oldest.values_list("pk", flat=True))


def quarantined(checkpoint: Checkpoint | None = None) -> BlobQuerySet:
    """Quarantined blobs of visible revisions, of one checkpoint or of all.

    Blobs that were refused before they were ever served do not count as damage.
    """
    visible = Revision.objects.visible()
    if checkpoint is not None:
        visible = visible.filter(checkpoint=checkpoint)
    used = File.objects.filter(revision__in=visible).values("blob")
    return BlobQuerySet(Blob).filter(state=Blob.State.QUARANTINED, pk__in=used)


def read_all(ids: list[int], advance: Callable[[int], object]) -> Iterator[tuple[Blob, str]]:
    """Read these blobs; yields each with `verified`, `quarantined`, `unreadable` or `waiting`.

    `advance` is called with the bytes of each step. Waits for a turn; raises StorageUnavailable.
    """
    with _turn() as turn:

        def pace(count: int) -> None:
            turn.passed(count)
            advance(count)

        for pk in ids:
            for blob in Blob.objects.filter(pk=pk):
                yield blob, _read(blob, pace)


def _read(blob: Blob, pace: Callable[[int], None]) -> str:
    if not read(blob, pace, WORKER):
        verification.verify(blob.pk, worker=WORKER, pace=pace)
    read_to_the_end(blob, WORKER)
    if is_unreadable(blob):
        return "unreadable"
    if blob.check_due_at is not None:
        return "waiting"
    return str(blob.state)


@contextmanager
def _turn() -> Iterator[turns.Turn]:
    end = time.monotonic() + PATIENCE
    while True:
        with turns.taken() as turn:
            if turn is not None:
                yield turn
                return
        _wait_until(end, "another scrub is still running")


def _wait_until(end: float, otherwise: str) -> None:
    """Sleep for a second; raises StorageUnavailable after `end`, a monotonic time."""
    if time.monotonic() > end:
        raise StorageUnavailable(f"{otherwise}; run the same command again later")
    time.sleep(1)
