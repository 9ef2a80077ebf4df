"""Streaming decompression like that of Python's loaders, but without verifying checksums.

A loader runs the start of a pickle before it reaches a wrong checksum at the end, so checksums do
not matter here. If data are damaged, everything before the damage is yielded.
"""

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from weights.inspection.formats.source import Source, Unreadable
from weights.inspection.formats.verdict import Refused

#: Bytes unpacked and yielded at a time.
_CHUNK = 1 << 14
#: Bytes read at a time, at most: in a bucket each read is a request.
_MOST_READ = 1 << 20
#: Maximum compressed bytes that may yield nothing: empty members, zeros.
MAX_BARREN_BYTES = 64 * 1024 * 1024
#: Bytes of the LZMA window. A larger one changes nothing for this many bytes of output.
_LZMA_WINDOW = 128 * 1024 * 1024
#: Headers with a larger size, other than `_NO_SIZE` (unknown), count as invalid.
_MAX_LZMA_SIZE, _NO_SIZE = 1 << 38, (1 << 64) - 1
_LZMA_HEADER = struct.Struct("<BLQ")
#: The bytes of an empty LZMA stream: header and the start of its range coder.
_EMPTY_LZMA = _LZMA_HEADER.size + 5
_GZIP_TRAILER = 8

Unpack = Callable[[], Iterator[bytes]]
_FAILURES = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)


class _Input:
    """Compressed bytes from an offset, read as needed."""

    def __init__(self, source: Source, start: int) -> None:
        self._source, self._at = source, start
        self._ahead, self._used = b"", 0  # read already, and how much of it is in `part`
        self._length = _CHUNK
        self.part = b""
        self.barren = 0  # bytes read since the last output

    def more(self) -> bool:
        """Appends the next bytes to `part`; returns False at the end."""
        if self.barren > MAX_BARREN_BYTES:
            raise Refused("it is compressed, and unpacks to nothing for too long")
        if self._used >= len(self._ahead):
            self._ahead, self._used = self._source.read(self._at, self._length), 0
            self._at += len(self._ahead)
            self._length = min(2 * self._length, _MOST_READ)  # most need the start alone
        content = self._ahead[self._used : self._used + _CHUNK]
        self._used += len(content)
        self.barren += len(content)
        self.part += content
        return bool(content)

    def take(self, length: int) -> bytes:
        while len(self.part) < length:
            if not self.more():
                raise EOFError
        taken, self.part = self.part[:length], self.part[length:]
        return taken

    def skip_text(self) -> None:
        """Skips the bytes up to and including a NUL."""
        while (end := self.part.find(b"\0")) < 0:
            self.part = b""
            if not self.more():
                raise EOFError
        self.part = self.part[end + 1 :]

    def skip_zeros(self, multiple: int = 1) -> None:
        """Skips zeros, in groups of `multiple`."""
        while True:
            zeros = len(self.part) - len(self.part.lstrip(b"\0"))
            is_all = zeros == len(self.part)
            self.part = self.part[zeros - zeros % multiple :]
            if not is_all or self.barren > MAX_BARREN_BYTES or not self.more():
                return


class Unpacker:
    """Yields the content of a compressed file's members, one after the other.

    `begin` consumes a member's header and returns a decompressor; `end` consumes its trailer.
    """

    def __init__(
        self,
        source: Source,
        begin: Callable[[_Input], Any],
        end: Callable[[_Input], None] = lambda _: None,
        start: int = 0,
    ) -> None:
        self._source, self._start = source, start
        self._begin, self._end = begin, end

    def __call__(self) -> Iterator[bytes]:
        """Raises Unreadable at damaged data, and Refused if too many bytes yield nothing."""
        done = 0
        try:
            for part in self._parts():
                done += len(part)
                yield part
        except _FAILURES:
            if done >= _LZMA_WINDOW:
                raise Refused("it is compressed, and takes too much memory to unpack") from None
            yield from self._last_bytes(done)

    def _last_bytes(self, done: int) -> Iterator[bytes]:
        """Unpacks again, byte by byte, since a failing call returns none of its output."""
        at = 0
        try:
            for part in self._parts(single_from=done):
                at += len(part)
                if at > done:
                    yield part
        except _FAILURES as error:
            raise Unreadable from error

    def _parts(self, single_from: int | None = None) -> Iterator[bytes]:
        """Yields the members' content, as single bytes after the first `single_from` bytes."""
        packed, at = _Input(self._source, self._start), 0
        while packed.part or packed.more():
            member = self._begin(packed)
            while not member.eof:
                limit = _CHUNK if single_from is None else max(1, min(_CHUNK, single_from - at))
                if part := _decompress(member, packed, limit):
                    packed.barren = 0
                    at += len(part)
                    yield part
            packed.part = member.unused_data
            self._end(packed)


def _decompress(member: Any, packed: _Input, limit: int) -> bytes:
    """The next bytes of a member; empty if it needed more input, which is then read."""
    part: bytes = member.decompress(packed.part, limit)
    packed.part = getattr(member, "unconsumed_tail", b"")  # of zlib; the others keep their input
    needs_input = not (part or member.eof or packed.part) and getattr(member, "needs_input", True)
    if needs_input and not packed.more():
        raise EOFError
    return part


# -- formats ------------------------------------------------------------------------------


def gzip(source: Source, start: int = 0) -> Unpack:
    return Unpacker(source, _begin_gzip, _end_gzip, start)


def _begin_gzip(packed: _Input) -> Any:
    magic, flags, _ = struct.unpack("<3sB6s", packed.take(10))
    if magic != b"\x1f\x8b\x08":
        raise OSError("no gzip member")
    if flags & 4:
        packed.take(int.from_bytes(packed.take(2), "little"))
    for flag in (8, 16):
        if flags & flag:
            packed.skip_text()
    if flags & 2:
        packed.take(2)
    return zlib.decompressobj(-zlib.MAX_WBITS)


def _end_gzip(packed: _Input) -> None:
    packed.take(_GZIP_TRAILER)
    packed.skip_zeros()


def zlib_stream(source: Source, start: int = 0) -> Unpack:
    return Unpacker(source, _begin_zlib, start=start)


def _begin_zlib(packed: _Input) -> Any:
    """Raw deflate after the header, so that the checksum at the end is not verified."""
    if (packed.take(2)[1]) & 0x20:
        raise OSError("it needs a dictionary")
    return zlib.decompressobj(-zlib.MAX_WBITS)


def bzip2(source: Source, start: int = 0) -> Unpack:
    return Unpacker(source, lambda _: bz2.BZ2Decompressor(), start=start)


def xz(source: Source, start: int = 0) -> Unpack:
    return Unpacker(source, _begin_xz, _end_xz, start)


def _begin_xz(_: _Input) -> Any:
    return lzma.LZMADecompressor(lzma.FORMAT_AUTO)


def _end_xz(packed: _Input) -> None:
    packed.skip_zeros(4)


def lzma_alone(source: Source, start: int = 0) -> Unpack:
    return Unpacker(source, _begin_lzma, start=start)


def _begin_lzma(packed: _Input) -> Any:
    """Uses a smaller window, which suffices for the first bytes and takes less memory."""
    packed.skip_zeros(_EMPTY_LZMA)
    if packed.barren > MAX_BARREN_BYTES:
        raise OSError("nothing but zeros")
    properties, window, size = _LZMA_HEADER.unpack(packed.take(_LZMA_HEADER.size))
    start = packed.take(1)  # of the range coder
    if start != b"\0" or _MAX_LZMA_SIZE < size < _NO_SIZE:
        raise OSError("no LZMA stream")
    header = _LZMA_HEADER.pack(properties, min(window, _LZMA_WINDOW), size)
    packed.part = header + start + packed.part
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE)
