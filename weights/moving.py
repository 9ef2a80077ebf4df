"""Copy every blob from one store to another, proving each by its hash on the way.

A blob stands in the new store only once all of its bytes have passed and their SHA-256 is
its name; so a run may be killed at any instant, and the next one does what is left.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db import models

from weights.errors import BlobMissing, SourceUnusable
from weights.manifests.proving import described
from weights.models import Blob
from weights.storage import BlobStorage

BUFFER = 2 * 1024 * 1024


class Wanted(NamedTuple):
    """A blob to copy: its size in bytes, and the version to take, where the source keeps some."""

    sha256: str
    size: int
    version: str = ""


@dataclass
class Moved:
    """Blobs by what became of them; `failures` as (blob, sentence), and they are not copied."""

    copied: int = 0
    copied_bytes: int = 0
    present: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)


def to_move() -> "models.QuerySet[Blob]":
    """All but the quarantined ones, whose bytes are known to be bad."""
    return Blob.objects.exclude(state=Blob.State.QUARANTINED).order_by("pk")


def move(
    source: BlobStorage, target: BlobStorage, progress: Callable[[int], None] | None = None
) -> Moved:
    """Copy what the target does not hold yet, also what is published meanwhile.

    `progress` is told the bytes of each step. A blob that is lost or damaged in the source is
    noted and left out. Raises StorageFull and StorageUnavailable of either store.
    """
    moved = Moved()
    last = 0
    while blob := to_move().filter(pk__gt=last).first():
        last = blob.pk
        wanted = Wanted(blob.sha256, blob.size, blob.served_version(source))
        if why := _move_one(wanted, source, target, moved, progress):
            moved.failures.append((described(blob), why))
    return moved


def move_listed(
    blobs: Iterable[Wanted],
    source: BlobStorage,
    target: BlobStorage,
    progress: Callable[[int], None] | None = None,
) -> Moved:
    """The same for blobs that a list names."""
    moved = Moved()
    for wanted in blobs:
        if why := _move_one(wanted, source, target, moved, progress):
            moved.failures.append((wanted.sha256, why))
    return moved


def _move_one(
    wanted: Wanted,
    source: BlobStorage,
    target: BlobStorage,
    moved: Moved,
    progress: Callable[[int], None] | None,
) -> str:
    """Why it could not be copied; empty where it stands in the target now."""
    advance = progress or (lambda count: None)
    if target.size(wanted.sha256) == wanted.size:
        advance(wanted.size)
        moved.present += 1
        return ""
    try:
        copy(wanted.sha256, source, target, advance, version=wanted.version)
    except BlobMissing:
        return f"missing in {source.address}"
    except SourceUnusable as error:
        return str(error)
    moved.copied += 1
    moved.copied_bytes += wanted.size
    return ""


def copy(
    sha256: str,
    source: BlobStorage,
    target: BlobStorage,
    progress: Callable[[int], None],
    *,
    version: str = "",
) -> None:
    """One pass over the bytes, which are given their name only if it is theirs.

    `version` names the state of the object to take, where the source keeps versions.

    Raises BlobMissing and SourceUnusable of the source, StorageFull of the target.
    """
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(BUFFER))
    with source.open(sha256, version=version) as stream, target.receive() as upload:
        while count := stream.readinto(buffer):  # type: ignore[attr-defined]
            digest.update(buffer[:count])
            upload.write(buffer[:count])
            progress(count)
        if digest.hexdigest() != sha256:
            raise SourceUnusable(f"its bytes in {source.address} have SHA-256 {digest.hexdigest()}")
        upload.commit(sha256)
