"""Reads a stream in a thread, some buffers ahead of the consumer."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from queue import SimpleQueue
from typing import Protocol

#: Bytes: large enough that the two threads rarely wait for each other, and small enough that all
#: buffers stay in the processor's last-level cache until they are used.
BUFFER = 1024 * 1024
#: Number of buffers: one in use, the others being filled or waiting.
BUFFERS = 8
_SMALLEST = 64 * 1024


class Readable(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


class CachedReadable(Readable, Protocol):
    """A store's stream that knows whether its bytes are already in memory."""

    @property
    def is_cached(self) -> bool: ...


def blocks_of(stream: CachedReadable, size: int) -> AbstractContextManager[Iterator[memoryview]]:
    """The bytes of a stream of about `size` bytes, as writable views.

    Each view is valid until the next one is requested: a few buffers are reused, so memory use
    does not depend on the size. Read errors are raised when the next view is requested. Cached
    bytes are not read ahead, because a second thread would only take a processor from another
    worker; nor are bytes that fit into one buffer.
    """
    if size <= BUFFER or stream.is_cached:
        return nullcontext(_one_by_one(stream, min(BUFFER, max(_SMALLEST, size))))
    return read_ahead(stream, BUFFER)


def _one_by_one(stream: Readable, size: int) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(size))
    while count := stream.readinto(buffer):
        yield buffer[:count]


@contextmanager
def read_ahead(stream: Readable, size: int = BUFFER) -> Iterator[Iterator[memoryview]]:
    """The bytes of a stream of any length, read ahead into buffers of `size` bytes."""
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
        item = full.get()
        if isinstance(item, BaseException):
            raise item
        buffer, count = item
        if not count:
            return
        yield buffer[:count]
        empty.put(buffer)
