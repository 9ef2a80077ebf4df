"""Reads xorbs: sequences of up to 8,192 compressed chunks of at most 128 KiB each.

A chunk has a header of eight bytes: version 0, length in the xorb (24 bits, little-endian),
scheme (0 stored, 1 LZ4 frame, 2 bytes grouped by their position modulo four, then LZ4 frame) and
size (24 bits). Specification: https://huggingface.co/docs/xet/xorb.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from lz4.frame import LZ4FrameDecompressor

from weights.uploads.xet import hashing
from weights.uploads.xet.errors import MalformedXet

#: Limits of the format: bytes of the chunks of a xorb, bytes of a chunk, and chunks of a xorb.
MOST_BYTES = 64 * 1024 * 1024
MOST_CHUNK_BYTES = 128 * 1024
MOST_CHUNKS = 8 * 1024
HEADER_SIZE = 8
#: Bytes of a xorb as sent: clients fill it to 64 MiB without counting the headers.
MOST_STORED = MOST_BYTES + HEADER_SIZE * MOST_CHUNKS
_STORED, _LZ4, _GROUPED_LZ4 = range(3)
#: The start of a footer, which stored xorbs have and uploads omit.
_FOOTER = b"XETBLOB"
_PACKED = struct.Struct("<32sII")


class Readable(Protocol):
    def read(self, size: int, /) -> bytes:
        """Returns at most `size` bytes, and none at the end."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk: its `length` in the xorb with header, and the `size` of its content, in bytes."""

    digest: bytes
    length: int
    size: int


def pack(chunks: list[Chunk]) -> bytes:
    """The chunks of a xorb in 40 bytes each, to store beside it."""
    return b"".join(_PACKED.pack(chunk.digest, chunk.length, chunk.size) for chunk in chunks)


def unpack(packed: bytes) -> list[Chunk]:
    return [Chunk(*fields) for fields in _PACKED.iter_unpack(packed)]


def checked_chunks(stream: Readable, expected: str) -> list[Chunk]:
    """Read a whole xorb; returns its chunks if its hash is `expected` (64 hex digits).

    Holds one chunk at a time. Raises MalformedXet.
    """
    tree, chunks, stored, expanded = hashing.HashTree(), list[Chunk](), 0, 0
    for chunk, _content in read_chunks(stream):
        chunks.append(chunk)
        stored += chunk.length
        expanded += chunk.size
        if stored > MOST_STORED or expanded > MOST_BYTES or len(chunks) > MOST_CHUNKS:
            raise MalformedXet("the xorb is larger than 64 MiB or has more than 8,192 chunks")
        tree.add(chunk.digest, chunk.size)
    if not chunks:
        raise MalformedXet("the xorb is empty")
    found = hashing.to_hex(tree.root())
    if found != expected:
        raise MalformedXet(f"the xorb has the hash {found}, not {expected}")
    return chunks


def read_chunks(stream: Readable) -> Iterator[tuple[Chunk, bytes]]:
    """Yields every chunk of the stream with its content; raises MalformedXet."""
    while header := read_exactly(stream, HEADER_SIZE, may_end=True):
        if header.startswith(_FOOTER):
            raise MalformedXet("the xorb has a footer; update hf_xet and upload again")
        version, scheme = header[0], header[4]
        length = int.from_bytes(header[1:4], "little")
        size = int.from_bytes(header[5:8], "little")
        if version:
            raise MalformedXet(f"a chunk has version {version}; only version 0 is supported")
        if not 0 < size <= MOST_CHUNK_BYTES or not 0 < length <= 2 * MOST_CHUNK_BYTES:
            raise MalformedXet("a chunk is empty or larger than 128 KiB")
        content = _content(scheme, read_exactly(stream, length), size)
        yield Chunk(hashing.chunk_hash(content), HEADER_SIZE + length, size), content


def read_exactly(stream: Readable, size: int, *, may_end: bool = False) -> bytes:
    """Reads `size` bytes, or none at the end of the stream if `may_end`; raises MalformedXet."""
    content = stream.read(size)
    while len(content) < size and (more := stream.read(size - len(content))):
        content += more
    if len(content) < size and (content or not may_end):
        raise MalformedXet("the upload ends in the middle of a record")
    return content


def _content(scheme: int, payload: bytes, size: int) -> bytes:
    if scheme not in {_STORED, _LZ4, _GROUPED_LZ4}:
        raise MalformedXet(f"a chunk has the unknown compression scheme {scheme}")
    content = payload if scheme == _STORED else _decompressed(payload, size)
    if len(content) != size:
        raise MalformedXet(f"a chunk has {len(content)} bytes, not {size} as its header states")
    return _ungrouped(content) if scheme == _GROUPED_LZ4 else content


def _decompressed(payload: bytes, size: int) -> bytes:
    """Decompresses exactly one LZ4 frame, up to `size` + 1 bytes."""
    decompressor = LZ4FrameDecompressor()
    try:
        content = decompressor.decompress(payload, max_length=size + 1)
    except (RuntimeError, ValueError, MemoryError, EOFError) as error:
        raise MalformedXet("a chunk cannot be decompressed") from error
    if len(content) <= size and (not decompressor.eof or decompressor.unused_data):
        raise MalformedXet("a chunk is not exactly one LZ4 frame")
    return bytes(content)


def _ungrouped(grouped: bytes) -> bytes:
    """Interleave the four groups of bytes; if they are uneven, the first ones are longer by one."""
    content, start = bytearray(len(grouped)), 0
    for position in range(4):
        end = start + (len(grouped) - position + 3) // 4
        content[position::4] = grouped[start:end]
        start = end
    return bytes(content)
