"""Copy every blob from one store to another, proving each by its hash on the way.

A blob is given its name in the new store only once all of its bytes have passed and their
SHA-256 is that name; so a run may be killed at any instant, and the next one does what is
left. What stands there already is read, for nobody knows who put it there.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db import models

from weights.errors import BlobMissing, BlobTooLarge, SourceUnusable
from weights.manifests.checking import described, to_prove
from weights.storage import BlobStorage
from weights.storage.hashing import BUFFER, holds
from weights.storage.models import Blob


class Wanted(NamedTuple):
    """A blob to copy: its size in bytes, and the version to take, where the source keeps some."""

    sha256: str
    size: int
    version: str = ""


@dataclass
class Moved:
    """Blobs by what became of them; `failures` as (blob, sentence), and they are not copied.

    `replaced` are those of the copied ones under whose name other bytes stood.
    """

    copied: int = 0
    copied_bytes: int = 0
    replaced: int = 0
    present: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)


def to_move() -> "models.QuerySet[Blob]":
    """All but those whose bytes are known to be bad; also what is held by hand may come back."""
    return to_prove()


def left() -> "models.QuerySet[Blob]":
    """Those that are left where they are."""
    return Blob.objects.exclude(pk__in=to_move().values("pk"))


def move(
    source: BlobStorage,
    target: BlobStorage,
    progress: Callable[[int], None] | None = None,
    *,
    trust_size: bool = False,
) -> Moved:
    """Copy what the target does not hold yet, also what is published meanwhile.

    What it holds is read, and copied over where it is not right; with `trust_size` it counts as
    right if it has as many bytes. `progress` is told the bytes of each step, negative ones where
    a step is taken back. A blob that is lost or damaged in the source is noted and left out.
    Raises StorageFull and StorageUnavailable of either store.
    """
    moved = Moved()
    last = 0
    run = _Run(source, target, moved, progress or (lambda count: None), trust_size)
    while blob := to_move().filter(pk__gt=last).first():
        last = blob.pk
        if why := run.take(Wanted(blob.sha256, blob.size, blob.served_version(source))):
            moved.failures.append((described(blob), why))
    return moved


def move_listed(
    blobs: Iterable[Wanted],
    source: BlobStorage,
    target: BlobStorage,
    progress: Callable[[int], None] | None = None,
    *,
    trust_size: bool = False,
) -> Moved:
    """The same for blobs that a list names."""
    moved = Moved()
    run = _Run(source, target, moved, progress or (lambda count: None), trust_size)
    for wanted in blobs:
        if why := run.take(wanted):
            moved.failures.append((wanted.sha256, why))
    return moved


class _Run(NamedTuple):
    """One run from a store to another."""

    source: BlobStorage
    target: BlobStorage
    moved: Moved
    progress: Callable[[int], None]
    trust_size: bool

    def take(self, wanted: Wanted) -> str:
        """Why it could not be copied; empty where its bytes stand in the target now."""
        stood = self.target.size(wanted.sha256) is not None
        if stood and self._is_there(wanted):
            self.moved.present += 1
            return ""
        try:
            copy(wanted, self.source, self.target, self.progress)
        except BlobMissing:
            return f"missing in {self.source.address}{self._beware(stood)}"
        except (SourceUnusable, BlobTooLarge) as error:
            return f"{error}{self._beware(stood)}"
        self.moved.copied += 1
        self.moved.copied_bytes += wanted.size
        self.moved.replaced += stood
        return ""

    def _is_there(self, wanted: Wanted) -> bool:
        """Whether nothing is to be copied; the steps of bytes that prove wrong are taken back."""
        steps = [0]

        def step(count: int) -> None:
            steps[0] += count
            self.progress(count)

        right = holds(self.target, wanted.sha256, wanted.size, None if self.trust_size else step)
        self.progress((wanted.size if right else 0) - steps[0])
        return right

    def _beware(self, stood: bool) -> str:
        return f"; {self.target.address} holds other bytes under its name" if stood else ""


def copy(
    wanted: Wanted, source: BlobStorage, target: BlobStorage, progress: Callable[[int], None]
) -> None:
    """One pass over the bytes, which are given their name only if it is theirs.

    Raises BlobMissing and SourceUnusable of the source, StorageFull and BlobTooLarge of the target.
    """
    sha256, size, version = wanted
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(BUFFER))
    with source.open(sha256, version=version) as stream, target.receive(size) as upload:
        while count := stream.readinto(buffer):  # type: ignore[attr-defined]
            digest.update(buffer[:count])
            upload.write(buffer[:count])
            progress(count)
        if digest.hexdigest() != sha256:
            raise SourceUnusable(f"its bytes in {source.address} have SHA-256 {digest.hexdigest()}")
        upload.commit(sha256)
