"""Write blobs of a benchmark's install, and load or drop their cached pages."""

import hashlib
import os
import random
from pathlib import Path
from typing import NamedTuple

MIB = 1024**2


class Stored(NamedTuple):
    """A blob of the install."""

    pk: int
    path: Path


def stored(folder: Path, number: int, size: int) -> Stored:
    """Put a blob of `size` bytes into the install's store; `number` seeds its content."""
    from weights.storage import blob_storage
    from weights.storage.models import Blob

    made = folder / "made"
    sha256 = write(made, number, size)
    blob_storage().create()
    path = blob_storage().local_path(sha256)
    assert path is not None
    path.parent.mkdir(parents=True)
    made.replace(path)
    return Stored(Blob.objects.create(sha256=sha256, size=size).pk, path)


def write(path: Path, number: int, size: int) -> str:
    """Write `size` random bytes seeded by `number`; return their SHA-256."""
    block = random.Random(number).randbytes(MIB)
    digest = hashlib.sha256()
    with path.open("wb") as stream:
        for index in range(size // MIB):
            piece = index.to_bytes(8, "big") + block[8:]
            digest.update(piece)
            stream.write(piece)
        os.fsync(stream.fileno())
    return digest.hexdigest()


def warm(path: Path) -> None:
    """Read the file, so that its pages are cached."""
    buffer = bytearray(MIB)
    with path.open("rb", buffering=0) as stream:
        while stream.readinto(buffer):
            pass


def cold(path: Path) -> None:
    """Drop the file's pages from the cache."""
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
