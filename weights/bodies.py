"""Bodies made of a part of a file, how many of them may leave at once, and what they hold."""

import threading
import weakref
from collections.abc import Callable
from typing import Any, BinaryIO

from django.conf import settings
from django.db import connections
from django.http import FileResponse


class RangedFile:
    """A part of an open file: `read` ends with it, and the kernel may send from `fileno`."""

    def __init__(
        self, stream: BinaryIO, start: int, length: int, release: Callable[[], object]
    ) -> None:
        stream.seek(start)
        self._stream = stream
        self._left = length
        # Also when a response is dropped without being closed.
        self._finish = weakref.finalize(self, _close_both, stream, release)

    def fileno(self) -> int:
        return self._stream.fileno()

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        block = self._stream.read(wanted)
        self._left -= len(block)
        return block

    def close(self) -> None:
        self._finish()


def _close_both(stream: BinaryIO, release: Callable[[], object]) -> None:
    try:
        stream.close()
    finally:
        release()


class RangedResponse(FileResponse):
    """A FileResponse for a RangedFile, whose headers are all set by `answer`."""

    block_size = 256 * 1024  # bytes a read, on servers that do not let the kernel send

    def set_headers(self, filelike: Any) -> None:
        """Nothing is guessed from the file: its name is a hash and its length another."""


class Slots:
    """Counts bodies being sent by this process, up to `DOWNLOADS_AT_ONCE`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.taken = 0

    def take(self) -> Callable[[], None] | None:
        """What gives the slot back, to be called once; None when all are taken."""
        with self._lock:
            if self.taken >= settings.DOWNLOADS_AT_ONCE:
                return None
            self.taken += 1
        return self._give_back

    def _give_back(self) -> None:
        with self._lock:
            self.taken -= 1


slots = Slots()


def release_connections() -> None:
    """Give database connections back before the body, which may take hours to leave.

    Django would do it only when the response is closed; as many downloads as the pool has
    connections would then stop every page. Inside a transaction they must stay; SQLite's are
    shared by nobody, and opening one costs more than the rest of the request.
    """
    for connection in connections.all(initialized_only=True):
        if connection.vendor != "sqlite" and not connection.in_atomic_block:
            connection.close()
