"""Reads a blob that is a file: its metadata when it was opened, and the page cache."""

import io
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from weights.storage.protocol import StoredObject

#: Places of a file at which the cache is probed.
_PROBES = 16
#: Seconds within which two writes may get the same time: two ticks of the slowest kernel (100
#: Hz). Linux 6.13 and later distinguish more writes, but not those to a new file.
_TICK = 0.02


class FileReader(io.FileIO):
    """An open file with the metadata that it had when it was opened."""

    def __init__(self, path: Path, key: str) -> None:
        super().__init__(path)
        found = os.fstat(self.fileno())
        self.stored = stored_object(key, found)
        self._changed_ns = found.st_ctime_ns

    @cached_property
    def is_cached(self) -> bool:
        """True if most of the file was in the page cache at the first call."""
        return _is_cached(self.fileno(), self.stored.size)

    def wait_past_ctime(self) -> None:
        """Wait until the kernel's clock is past the file's ctime.

        A write in the same tick as the last one leaves all times unchanged. What is read after
        this includes such a write, and any later one gets a later ctime, which cannot be set back.
        """
        if time.time_ns() - self._changed_ns < _TICK * 1e9:
            time.sleep(_TICK)

    def drop_after_reading(self) -> Callable[[int, int], None]:
        """Have the system read ahead. Returns a function of (start, length) that drops pages.

        Pages that were cached before stay: a check should not slow down downloads of the file.
        """
        if not hasattr(os, "posix_fadvise"):
            return lambda start, length: None
        descriptor, keep = self.fileno(), self.is_cached
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)

        def drop(start: int, length: int) -> None:
            if not keep:
                os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)

        return drop


def _is_cached(descriptor: int, size: int) -> bool:
    """True if most of a file is in the page cache, by reading a byte at some places."""
    if not size or not hasattr(os, "RWF_NOWAIT"):
        return False
    cached = 0
    for place in range(_PROBES):
        try:
            offset = size * place // _PROBES
            cached += os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT)
        except OSError:  # only on disk, or the file system cannot tell
            continue
    return cached > _PROBES // 2


def stored_object(key: str, found: os.stat_result) -> StoredObject:
    """The metadata of a file in the terms of all stores."""
    mark = f"{found.st_mtime_ns}:{found.st_ino}:{found.st_size} {found.st_ctime_ns}"
    return StoredObject(key, found.st_size, mark, datetime.fromtimestamp(found.st_mtime, UTC))
