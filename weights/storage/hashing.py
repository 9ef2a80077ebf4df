"""SHA-256 of the bytes in a store."""

import hashlib
from collections.abc import Callable
from typing import BinaryIO

from weights.errors import BlobMissing
from weights.storage.protocol import BlobStorage

#: Bytes of each step.
BUFFER = 2 * 1024 * 1024


def sha256_of(stream: BinaryIO, progress: Callable[[int], None]) -> str:
    """The SHA-256 of the rest of a stream; `progress` is called with the bytes of each step."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(BUFFER))
    while count := stream.readinto(buffer):  # type: ignore[attr-defined]
        digest.update(buffer[:count])
        progress(count)
    return digest.hexdigest()


def holds(
    store: BlobStorage, sha256: str, size: int, progress: Callable[[int], None] | None
) -> bool:
    """True if the newest bytes of the blob have this SHA-256; reads all of them.

    Without `progress`, only compares their size. Raises StorageUnavailable.
    """
    if store.size(sha256) != size:
        return False
    if progress is None:
        return True
    try:
        with store.open(sha256) as stream:
            return sha256_of(stream, progress) == sha256
    except BlobMissing:  # deleted meanwhile
        return False
