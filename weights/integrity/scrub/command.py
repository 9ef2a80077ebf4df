"""The scrub as a command runs it: all turns that are free, every doubt read to its end."""

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
#: Seconds that others are waited for: a worker gives its turn back within a minute.
PATIENCE = 90.0


def look_over() -> StoreSurvey:
    """A survey of now; raises StorageUnavailable when nothing can be concluded from it."""
    found = _waited(survey, "another survey goes on for long")
    if found.trouble:
        raise StorageUnavailable(f"the store is not read: {found.trouble}")
    return found


def wanted(checkpoint: Checkpoint | None, *, everything: bool) -> list[int]:
    """Ids of what to read, the oldest first: what is due, or all, and what is in doubt already."""
    known = Blob.objects.exclude(last_verified_at=None)
    asked = known.exclude(check_due_at=None).exclude(state=Blob.State.QUARANTINED)
    chosen = due(timezone.now())
    if everything or checkpoint is not None:
        chosen = BlobQuerySet(Blob).filter(state=Blob.State.VERIFIED)
    both = Blob.objects.filter(models.Q(pk__in=chosen.values("pk")) | models.Q(pk__in=asked))
    if checkpoint is not None:
        both = both.filter(files__revision__checkpoint=checkpoint).distinct()
    oldest = both.order_by(models.F("last_verified_at").asc(nulls_first=True), "pk")
    return list(oldest.values_list("pk", flat=True))


def quarantined(checkpoint: Checkpoint | None = None) -> BlobQuerySet:
    """Bytes in quarantine that a visible revision is made of, of one checkpoint or of all.

    What was refused before anybody was given it is no damage of the store.
    """
    shown = Revision.objects.visible()
    if checkpoint is not None:
        shown = shown.filter(checkpoint=checkpoint)
    return BlobQuerySet(Blob).filter(
        state=Blob.State.QUARANTINED, pk__in=File.objects.filter(revision__in=shown).values("blob")
    )


def read_all(ids: list[int], advance: Callable[[int], object]) -> Iterator[tuple[Blob, str]]:
    """Read these blobs; each with what came of it: verified, quarantined, unreadable, waiting.

    `advance` is told the bytes of each step. Waits for a turn; raises StorageUnavailable.
    """
    with _turn() as turn:

        def pace(count: int) -> None:
            turn.passed(count)
            advance(count)

        for pk in ids:
            for blob in Blob.objects.filter(pk=pk):
                yield blob, _read(blob, pace)


def _read(blob: Blob, pace: Callable[[int], None]) -> str:
    if not read(blob, pace, WORKER, steps=False):
        verification.verify(blob.pk, worker=WORKER, pace=pace, steps=False)
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
        if time.monotonic() > end:
            raise StorageUnavailable("another scrub reads for long; run the same again later")
        time.sleep(1)


def _waited(act: Callable[[], StoreSurvey | None], otherwise: str) -> StoreSurvey:
    end = time.monotonic() + PATIENCE
    while (found := act()) is None:
        if time.monotonic() > end:
            raise StorageUnavailable(f"{otherwise}; run the same again later")
        time.sleep(1)
    return found
