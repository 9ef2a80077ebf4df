"""Reads shards, which list the xorbs and chunk ranges that make up each uploaded file.

A shard is a header and two lists of 48-byte records: the files and the new xorbs. Each list
ends with a record whose hash is all ones. Uploads have no footer. Specification:
https://huggingface.co/docs/xet/shard.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from weights.uploads.xet import hashing
from weights.uploads.xet.errors import MalformedXet
from weights.uploads.xet.xorb_format import MOST_CHUNKS, MOST_STORED, Readable, read_exactly

#: Maximum bytes of a shard; clients send no larger ones.
MOST_SHARD_BYTES = 64 * 1024 * 1024
RECORD_SIZE = 48
_TAG = b"HFRepoMetaData\0UigEj{\x81W\x83\xa5\xbd\xd9\\\xcd\xd1J\xa9"
_VERSION = 2
_HEADER = struct.Struct("<32sQQ")
#: A hash and four numbers, whose meaning depends on the kind of record.
_RECORD = struct.Struct("<32sIIII")
_HAS_CHECKS, _HAS_SHA256 = 1 << 31, 1 << 30
_END = b"\xff" * hashing.HASH_SIZE


@dataclass(frozen=True, slots=True)
class Term:
    """The chunks `start` (inclusive) to `end` (exclusive) of a xorb: `size` bytes of a file.

    `check` is the verification hash: the keyed hash of these chunks' hashes.
    """

    xorb: bytes
    size: int
    start: int
    end: int
    check: bytes


@dataclass(frozen=True)
class FileRecipe:
    """How to rebuild one file: `records` has its terms, then their hashes, as uploaded."""

    digest: bytes
    sha256: str
    size: int
    records: bytes = field(repr=False)

    def terms(self) -> Iterator[Term]:
        return read_terms(self.records)


@dataclass(frozen=True)
class XorbListing:
    """The hash and size in bytes of each chunk of a new xorb, as the client states them."""

    digest: bytes
    chunks: list[tuple[bytes, int]]


def read_shard(stream: Readable) -> Iterator[FileRecipe | XorbListing]:
    """Every file, then every new xorb, up to the end of the stream; raises MalformedXet."""
    tag, version, footer_size = _HEADER.unpack(read_exactly(stream, RECORD_SIZE))
    if tag != _TAG or version != _VERSION:
        raise MalformedXet("the upload is not a shard of version 2")
    if footer_size:
        raise MalformedXet("the shard has a footer, which uploads leave out")
    yield from _files(stream)
    yield from _xorbs(stream)
    if stream.read(1):
        raise MalformedXet("bytes follow the end of the shard")


def read_terms(records: bytes) -> Iterator[Term]:
    """The terms in the `records` of a FileRecipe."""
    middle = len(records) // 2
    for start in range(0, middle, RECORD_SIZE):
        xorb, _flags, size, first, end = _RECORD.unpack_from(records, start)
        check = records[middle + start : middle + start + hashing.HASH_SIZE]
        yield Term(xorb, size, first, end, check)


def _files(stream: Readable) -> Iterator[FileRecipe]:
    seen = set[str]()
    while record := _record(stream):
        digest, flags, count, _unused, _unused_too = record
        if flags != _HAS_CHECKS | _HAS_SHA256:
            raise MalformedXet("a file lacks its verification hashes or its SHA-256")
        if not 0 < count <= MOST_SHARD_BYTES // RECORD_SIZE // 2:
            raise MalformedXet("a file has no terms, or more than a shard can hold")
        records = _read_all(stream, 2 * count * RECORD_SIZE)
        size = sum(_checked_size(term) for term in read_terms(records))
        # Like every hash of a shard, the SHA-256 is stored as four little-endian words.
        sha256 = hashing.to_hex(read_exactly(stream, RECORD_SIZE)[: hashing.HASH_SIZE])
        if sha256 in seen:
            raise MalformedXet(f"the shard describes {sha256} twice")
        seen.add(sha256)
        yield FileRecipe(digest, sha256, size, records)


def _checked_size(term: Term) -> int:
    if not term.start < term.end <= MOST_CHUNKS or term.size < 1:
        raise MalformedXet("a term has no chunks, no bytes, or a chunk number above 8,192")
    return term.size


def _xorbs(stream: Readable) -> Iterator[XorbListing]:
    seen = set[bytes]()
    while record := _record(stream):
        digest, _flags, count, total, on_disk = record
        if not 0 < count <= MOST_CHUNKS or on_disk > MOST_STORED:
            raise MalformedXet("a xorb has no chunks, more than 8,192, or more than 64 MiB")
        if digest in seen:
            raise MalformedXet("the shard lists a xorb twice")
        seen.add(digest)
        entries = list(_RECORD.iter_unpack(_read_all(stream, count * RECORD_SIZE)))
        chunks = [(entry[0], entry[2]) for entry in entries]
        _check_starts(total, [(entry[1], entry[2]) for entry in entries])
        yield XorbListing(digest, chunks)


def _check_starts(total: int, ranges: list[tuple[int, int]]) -> None:
    """Raise MalformedXet unless the ranges (start, size) of the chunks follow each other."""
    position = 0
    for start, size in ranges:
        if start != position:
            raise MalformedXet("the chunks of a xorb overlap or leave a gap")
        position += size
    if position != total:
        raise MalformedXet("the sizes of a xorb's chunks do not add up to its own")


def _record(stream: Readable) -> tuple[bytes, int, int, int, int] | None:
    """The next header of a list; None at its end."""
    digest, first, second, third, fourth = _RECORD.unpack(read_exactly(stream, RECORD_SIZE))
    if digest != _END:
        return digest, first, second, third, fourth
    if first or second or third or fourth:
        raise MalformedXet("the record that ends a list is not empty")
    return None


def _read_all(stream: Readable, size: int) -> bytes:
    """Reads `size` bytes in steps, so that a false count allocates no memory."""
    content = bytearray()
    while len(content) < size:
        content += read_exactly(stream, min(size - len(content), 1024 * 1024))
    return bytes(content)
