"""Reads a blob from a file, with its metadata at opening and control of the page cache."""

import io
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from weights.storage.protocol import StoredObject

#: Number of positions at which a file's page cache is probed.
_PROBES = 16
#: Seconds within which two writes may get the same timestamp: two ticks of the slowest kernel (100
#: Hz). Linux 6.13 and later have finer timestamps, but not for a new file.
_TICK = 0.02


class FileReader(io.FileIO):
    """An open file with its metadata at opening."""

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

        A write in the same tick as the last one leaves all timestamps unchanged. Reading after this
        wait includes such a write; any later write gets a later ctime, which cannot be set back.
        """
        if time.time_ns() - self._changed_ns < _TICK * 1e9:
            time.sleep(_TICK)

    def drop_after_reading(self) -> Callable[[int, int], None]:
        """Enable read-ahead; returns a function of (start, length) that drops pages from the cache.

        Pages that were already cached stay, so that a check does not slow down downloads.
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
    """True if most of a file is in the page cache; tries reading single bytes without blocking."""
    if not size or not hasattr(os, "RWF_NOWAIT"):
        return False
    cached = 0
    for place in range(_PROBES):
        try:
            offset = size * place // _PROBES
            cached += os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT)
        except OSError:  # not cached, or the file system cannot tell
            continue
    return cached > _PROBES // 2


def stored_object(key: str, found: os.stat_result) -> StoredObject:
    """The metadata of a file as a StoredObject."""
    mark = f"{found.st_mtime_ns}:{found.st_ino}:{found.st_size} {found.st_ctime_ns}"
    return StoredObject(key, found.st_size, mark, datetime.fromtimestamp(found.st_mtime, UTC))
