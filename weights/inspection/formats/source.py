"""Bytes of a file by place: inspectors ask for the few parts they need, never for all of it."""

import io
from functools import lru_cache
from typing import Protocol

from weights.inspection.formats.verdict import Refused


class Source(Protocol):
    """A file of `size` bytes."""

    size: int

    def read(self, start: int, length: int) -> bytes:
        """Exactly these bytes; fewer only at the end of the file."""


class BytesSource:
    """A file that is in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)

    def read(self, start: int, length: int) -> bytes:
        return self._content[start : start + length]


class Blocks:
    """Another source, read in blocks of which the last few are kept.

    Inspectors take a few bytes here and a few beside them, and each question to a store costs a
    request. A small file is one block.
    """

    BLOCK = 8 * 1024
    #: Bytes of a file that is read in one go.
    SMALL = 256 * 1024
    KEPT = 8

    def __init__(self, source: Source) -> None:
        self.size = source.size
        self._source = source
        self._each = self.size if self.size <= self.SMALL else self.BLOCK
        self._block = lru_cache(self.KEPT)(self._fetch)

    def read(self, start: int, length: int) -> bytes:
        end = min(start + length, self.size)
        if end <= start:
            return b""
        if end - start > self._each:
            return self._source.read(start, end - start)
        first, last = start // self._each, (end - 1) // self._each
        found = b"".join(self._block(number) for number in range(first, last + 1))
        return found[start - first * self._each : end - first * self._each]

    def _fetch(self, number: int) -> bytes:
        start = number * self._each
        return self._source.read(start, min(self._each, self.size - start))


def exactly(source: Source, start: int, length: int, what: str) -> bytes:
    """These bytes, all of them; raises Refused where the file ends before."""
    if start < 0 or length < 0 or start + length > source.size:
        raise Refused(f"{what} reaches beyond the end of the file")
    found = source.read(start, length)
    if len(found) != length:
        raise Refused(f"{what} could not be read whole")
    return found


class Window(io.RawIOBase):
    """A part of a source as a stream, for parsers that read on and on."""

    def __init__(self, source: Source, start: int, length: int) -> None:
        self._source = source
        self._at = self._start = start
        self._end = start + length

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at - self._start

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        found = self._source.read(self._at, min(len(buffer), self._end - self._at))
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)
