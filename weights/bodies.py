"""Bodies made of a part of a file, how many of them may leave at once, and what they hold."""

import math
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

from django.conf import settings
from django.db import connections
from django.http import FileResponse

#: Seconds that nobody is told to wait beyond; the Hub's client comes back five times.
LONGEST_WAIT = 300


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
        self._begun = 0.0  # sum of the times at which the running ones began
        self._lasted: deque[float] = deque(maxlen=32)  # seconds that the last ones took
        self._due: list[float] = []  # when callers who were told to wait may come

    def take(self) -> Callable[[], None] | None:
        """What gives the slot back, to be called once; None when all are taken."""
        began = time.monotonic()
        with self._lock:
            if self.taken >= settings.DOWNLOADS_AT_ONCE:
                return None
            self.taken += 1
            self._begun += began
        return partial(self._give_back, began)

    def _give_back(self, began: float) -> None:
        with self._lock:
            self.taken -= 1
            self._begun -= began
            self._lasted.append(time.monotonic() - began)

    def wait(self) -> int:
        """Seconds after which a slot is likely free for one more caller, 1 to LONGEST_WAIT.

        How long a body takes is told by the last that ended and by how long those that run
        have run; callers who were told to wait and are not due yet come first.
        """
        now = time.monotonic()
        with self._lock:
            running = self.taken * now - self._begun
            lasts = (sum(self._lasted) + running) / (len(self._lasted) + 1)
            self._due = [due for due in self._due if due > now]
            places = max(self.taken, 1)
            wait = math.ceil(lasts / places * (len(self._due) + 1))
            wait = min(max(wait, 1), LONGEST_WAIT)
            if len(self._due) < places:
                self._due.append(now + wait)
        return wait


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
