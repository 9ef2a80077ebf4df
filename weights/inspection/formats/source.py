"""Random access to a file, so that parsers read only the parts they need."""

import io
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Protocol

from weights.inspection.formats.verdict import Refused


class Source(Protocol):
    """A file of `size` bytes."""

    size: int

    def read(self, start: int, length: int) -> bytes:
        """Returns `length` bytes from `start`, fewer only at the end of the file."""


class BytesSource:
    """Bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self.size, self._content = len(content), content

    def read(self, start: int, length: int) -> bytes:
        return self._content[start : start + length]


class CachedSource:
    """Reads another source in blocks, with an LRU cache.

    Parsers read a few bytes at a time, and each read from a store costs a request. A small file is
    a single block.
    """

    BLOCK = 8 * 1024
    #: Largest size in bytes of a file that is read as one block.
    SMALL = 256 * 1024
    CACHED_BLOCKS = 8

    def __init__(self, source: Source) -> None:
        self.size = source.size
        self._source = source
        self._block_size = self.size if self.size <= self.SMALL else self.BLOCK
        self._block = lru_cache(self.CACHED_BLOCKS)(self._fetch)

    def read(self, start: int, length: int) -> bytes:
        end = min(start + length, self.size)
        if end <= start:
            return b""
        if end - start > self._block_size:
            return self._source.read(start, end - start)
        first, last = start // self._block_size, (end - 1) // self._block_size
        found = b"".join(self._block(number) for number in range(first, last + 1))
        return found[start - first * self._block_size : end - first * self._block_size]

    def _fetch(self, number: int) -> bytes:
        start = number * self._block_size
        return self._source.read(start, min(self._block_size, self.size - start))


def read_exactly(source: Source, start: int, length: int, what: str) -> bytes:
    """Reads exactly `length` bytes, named `what`; raises Refused if the file ends before."""
    if start < 0 or length < 0 or start + length > source.size:
        raise Refused(f"{what} reaches beyond the end of the file")
    found = source.read(start, length)
    if len(found) != length:
        raise Refused(f"{what} could not be read whole")
    return found


class SourceStream(io.RawIOBase):
    """A section of a source as a stream, for parsers that take streams."""

    def __init__(self, source: Source, start: int, length: int) -> None:
        self._source = source
        self._at = self._start = start
        self._end = start + length

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at - self._start

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: self._start, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        if origin + offset < self._start:
            raise OSError("a position before the start")
        self._at = origin + offset
        return self.tell()

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        found = self._source.read(self._at, max(0, min(len(buffer), self._end - self._at)))
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


class Unreadable(Exception):
    """A stream cannot be unpacked further."""


class UnpackedSource:
    """The content of a compressed stream. Reading backwards unpacks it again.

    `size` is an upper bound until the end has been reached.
    """

    #: Bytes at the start that stay in memory.
    BUFFERED = 1 << 20
    UNKNOWN = 1 << 62

    def __init__(self, unpack: Callable[[], Iterator[bytes]], size: int = UNKNOWN) -> None:
        """`unpack` yields the content from its start, and raises Unreadable at damaged data."""
        self.size = size
        self._unpack = unpack
        self._parts = unpack()
        self._head = bytearray()
        self._window, self._at = b"", 0  # the part unpacked last, and its offset

    @property
    def is_small(self) -> bool:
        """True if all of it stays in memory."""
        return self.size <= self.BUFFERED

    def read(self, start: int, length: int) -> bytes:
        end = min(start + length, self.size)
        if start < self._at and end > len(self._head):
            self._parts, self._window, self._at = self._unpack(), b"", 0
        found = bytearray(self._head[start:end])
        while start + len(found) < end:
            begin = start + len(found) - self._at
            if begin < len(self._window):
                found += self._window[begin : end - self._at]
            elif not self._advance():
                break
        return bytes(found)

    def _advance(self) -> bool:
        """Moves the window to the next part; returns False at the end."""
        self._at += len(self._window)
        try:
            self._window = next(self._parts, b"")
        except Unreadable:
            self._window = b""
        if not self._window:
            self.size = min(self.size, self._at)
            return False
        if len(self._head) == self._at < self.BUFFERED:
            self._head += self._window
        return True
