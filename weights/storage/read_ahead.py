"""Read a stream in a thread, a few buffers ahead of whoever works on the bytes."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from queue import SimpleQueue
from typing import Protocol

#: Large enough that two threads seldom wait for each other, and small enough that all of them
#: stay in a processor's last cache, from where what was read is worked on.
BUFFER = 1024 * 1024
#: One that is worked on, and those that are being filled or wait.
BUFFERS = 8
_SMALLEST = 64 * 1024


class Readable(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


class Opened(Readable, Protocol):
    """A stream of a store; `is_at_hand` if its bytes are in this machine's memory already."""

    @property
    def is_at_hand(self) -> bool: ...


def blocks_of(stream: Opened, size: int) -> AbstractContextManager[Iterator[memoryview]]:
    """The bytes of a stream that holds about `size`, as writable views.

    Each is good until the next is asked for. The same few buffers are used again and again, so
    memory stays flat for any size. What reading raises is raised where the next view is asked
    for. What is at hand is not read ahead: a second thread would only take a processor from
    another worker. Nor is what fits into one buffer.
    """
    if size <= BUFFER or stream.is_at_hand:
        return nullcontext(_in_turn(stream, min(BUFFER, max(_SMALLEST, size))))
    return read_ahead(stream, BUFFER)


def _in_turn(stream: Readable, size: int) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(size))
    while count := stream.readinto(buffer):
        yield buffer[:count]


@contextmanager
def read_ahead(stream: Readable, size: int = BUFFER) -> Iterator[Iterator[memoryview]]:
    """The same for a stream of any length, in buffers of `size` bytes."""
    empty: SimpleQueue[memoryview | None] = SimpleQueue()
    full: SimpleQueue[tuple[memoryview, int] | BaseException] = SimpleQueue()
    for _ in range(BUFFERS):
        empty.put(memoryview(bytearray(size)))
    reader = threading.Thread(target=_fill, args=(stream, empty, full), daemon=True)
    reader.start()
    try:
        yield _filled(empty, full)
    finally:
        empty.put(None)
        reader.join()


def _fill(
    stream: Readable,
    empty: "SimpleQueue[memoryview | None]",
    full: "SimpleQueue[tuple[memoryview, int] | BaseException]",
) -> None:
    try:
        while (buffer := empty.get()) is not None:
            count = stream.readinto(buffer) or 0
            full.put((buffer, count))
            if not count:
                return
    except BaseException as error:
        full.put(error)


def _filled(
    empty: "SimpleQueue[memoryview | None]",
    full: "SimpleQueue[tuple[memoryview, int] | BaseException]",
) -> Iterator[memoryview]:
    while True:
        found = full.get()
        if isinstance(found, BaseException):
            raise found
        buffer, count = found
        if not count:
            return
        yield buffer[:count]
        empty.put(buffer)
