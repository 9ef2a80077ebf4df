"""Bodies made of a part of a file, how many of them may leave at once, and what they hold."""

import math
import socket
import struct
import sys
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

from django.conf import settings
from django.db import connections
from django.http import FileResponse

#: Seconds that nobody is told to wait beyond; the Hub's client comes back five times.
LONGEST_WAIT = 300
#: Where Linux tells `tcpi_bytes_acked` in its `struct tcp_info`.
_BYTES_ACKED = 120


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


class Sending:
    """A body on its way out: since when, how many bytes, and by which connection, if known."""

    def __init__(self, length: int, connection: socket.socket | None) -> None:
        self.began = time.monotonic()
        self._length = length
        self._connection = connection
        self._before = _acknowledged(connection)

    def left(self, now: float) -> float:
        """Seconds that the rest takes at the rate so far; as many as it took, if none is known."""
        age = now - self.began
        acknowledged = _acknowledged(self._connection)
        if self._before is None or acknowledged is None:
            return age
        sent = acknowledged - self._before
        return age * max(self._length - sent, 0) / sent if sent > 0 else math.inf


def _acknowledged(connection: socket.socket | None) -> int | None:
    """Bytes that the other side has taken since it connected; None where nobody can tell."""
    if connection is None or sys.platform != "linux":
        return None
    try:
        facts = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED + 8)
        return int(struct.unpack_from("=Q", facts, _BYTES_ACKED)[0])
    except (OSError, struct.error):  # closed meanwhile, or an old kernel
        return None


class Slots:
    """Counts bodies being sent by this process, up to `DOWNLOADS_AT_ONCE`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Sending] = set()
        self._due: list[float] = []  # when callers who were told to wait may come

    @property
    def taken(self) -> int:
        return len(self._running)

    def take(
        self, length: int = 0, connection: socket.socket | None = None
    ) -> Callable[[], None] | None:
        """What gives the slot back, to be called once; None when all are taken."""
        with self._lock:
            if self.taken >= settings.DOWNLOADS_AT_ONCE:
                return None
            sending = Sending(length, connection)
            self._running.add(sending)
        return partial(self._give_back, sending)

    def _give_back(self, sending: Sending) -> None:
        with self._lock:
            self._running.remove(sending)

    def wait(self) -> int:
        """Seconds after which a slot is free for one more caller, 1 to LONGEST_WAIT.

        As the bodies that run go on at their rates; callers who were told to wait before and
        are not due yet come first.
        """
        now = time.monotonic()
        with self._lock:
            ends = sorted(sending.left(now) for sending in self._running)
            self._due = [due for due in self._due if due > now]
            nth = len(self._due)
            left = ends[nth] if nth < len(ends) else LONGEST_WAIT
            wait = math.ceil(min(max(left, 1), LONGEST_WAIT))
            if nth < len(ends):
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
