"""Response bodies from parts of files, and the limit on how many a process sends at once."""

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

#: The largest Retry-After in seconds; the Hub's client retries five times.
LONGEST_WAIT = 300
#: Offset of `tcpi_bytes_acked` in Linux's `struct tcp_info`.
_BYTES_ACKED = 120


class RangedFile:
    """A part of an open file. `read` stops at its end; the kernel may send it from `fileno`."""

    def __init__(
        self, stream: BinaryIO, start: int, length: int, release: Callable[[], object]
    ) -> None:
        stream.seek(start)
        self._stream = stream
        self._left = length
        # Also runs if a response is dropped without being closed.
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
    """A FileResponse for a RangedFile; `serving.answer` sets its headers."""

    block_size = 256 * 1024  # bytes per read, on servers where the kernel does not send

    def set_headers(self, filelike: Any) -> None:
        """Do not guess from the file: its name is a hash, and its length is not the part's."""


class Transfer:
    """A body being sent: start time, length in bytes and, if known, the connection."""

    def __init__(self, length: int, connection: socket.socket | None) -> None:
        self.began = time.monotonic()
        self._length = length
        self._connection = connection
        self._before = _acknowledged(connection)

    def seconds_left(self, now: float) -> float:
        """Estimated seconds left at the rate so far, or the elapsed seconds if it is unknown."""
        age = now - self.began
        acknowledged = _acknowledged(self._connection)
        if self._before is None or acknowledged is None:
            return age
        sent = acknowledged - self._before
        return age * max(self._length - sent, 0) / sent if sent > 0 else math.inf


def _acknowledged(connection: socket.socket | None) -> int | None:
    """Bytes that the client acknowledged since it connected; None if the kernel does not tell."""
    if connection is None or sys.platform != "linux":
        return None
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED + 8)
        return int(struct.unpack_from("=Q", info, _BYTES_ACKED)[0])
    except (OSError, struct.error):  # closed meanwhile, or an old kernel
        return None


class Slots:
    """Counts the bodies that this process is sending, up to `DOWNLOADS_AT_ONCE`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Transfer] = set()
        self._due: list[float] = []  # when refused callers may return

    @property
    def taken(self) -> int:
        return len(self._running)

    def take(
        self, length: int = 0, connection: socket.socket | None = None
    ) -> Callable[[], None] | None:
        """Take a slot; returns a function to call once to free it, or None if all are taken."""
        with self._lock:
            if self.taken >= settings.DOWNLOADS_AT_ONCE:
                return None
            transfer = Transfer(length, connection)
            self._running.add(transfer)
        return partial(self._give_back, transfer)

    def _give_back(self, transfer: Transfer) -> None:
        with self._lock:
            self._running.remove(transfer)

    def wait(self) -> int:
        """Seconds until a slot is free for one more caller, 1 to LONGEST_WAIT.

        Assumes that running transfers keep their rates. Callers that were refused earlier and are
        still waiting come first.
        """
        now = time.monotonic()
        with self._lock:
            ends = sorted(transfer.seconds_left(now) for transfer in self._running)
            self._due = [due for due in self._due if due > now]
            nth = len(self._due)
            left = ends[nth] if nth < len(ends) else LONGEST_WAIT
            wait = math.ceil(min(max(left, 1), LONGEST_WAIT))
            if nth < len(ends):
                self._due.append(now + wait)
        return wait


slots = Slots()


def release_connections() -> None:
    """Return database connections to the pool before the body, which may take hours to send.

    Django would return them only when the response is closed, so as many downloads as the pool has
    connections would block every page. Connections in a transaction must stay. SQLite has no pool,
    and opening a connection costs more than the rest of the request.
    """
    for connection in connections.all(initialized_only=True):
        if connection.vendor != "sqlite" and not connection.in_atomic_block:
            connection.close()
