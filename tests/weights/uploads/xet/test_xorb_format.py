"""The parser of xorbs: a recorded one byte for byte, and hostile ones refused."""

import io
import tracemalloc

import lz4.frame
import pytest

from tests.support import xet
from weights.uploads.xet import hashing, xorb_format
from weights.uploads.xet.errors import MalformedXet

pytestmark = pytest.mark.fast


def contents(body: bytes) -> list[bytes]:
    return [content for _chunk, content in xorb_format.read_chunks(io.BytesIO(body))]


def refusal(body: bytes, expected: str = "0" * 64) -> str:
    with pytest.raises(MalformedXet) as refused:
        xorb_format.checked_chunks(io.BytesIO(body), expected)
    return str(refused.value)


def test_a_recorded_xorb_yields_the_bytes_of_its_files() -> None:
    files = xet.recorded_files()
    chunks = xorb_format.checked_chunks(io.BytesIO(xet.XORB), xet.XORB_HASH)

    assert len(chunks) == 15
    assert sum(chunk.length for chunk in chunks) == len(xet.XORB)
    joined = b"".join(contents(xet.XORB))
    runs = files["a.bin"][: 12 << 17]
    for part in (runs, files["a.bin"][-9_000:], files["b.bin"], files["c.bin"]):
        assert part in joined
    assert len(joined) == len(runs) + 9_000 + len(files["b.bin"]) + len(files["c.bin"])


def test_the_recorded_xorb_has_every_compression_scheme() -> None:
    stream, schemes = io.BytesIO(xet.XORB), set()
    while header := stream.read(8):
        schemes.add(header[4])
        stream.seek(int.from_bytes(header[1:4], "little"), io.SEEK_CUR)
    assert schemes == {0, 1, 2}


def test_packed_chunks_are_unpacked_unchanged() -> None:
    chunks = xorb_format.checked_chunks(io.BytesIO(xet.XORB), xet.XORB_HASH)
    assert xorb_format.unpack(xorb_format.pack(chunks)) == chunks


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 4096, 4097, 4098, 4099])
def test_grouped_bytes_return_to_their_places(size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    grouped = b"".join(content[position::4] for position in range(4))
    body = xet.chunk(content, 2, payload=lz4.frame.compress(grouped))
    assert contents(body) == [content]


def test_a_stream_that_returns_few_bytes_at_a_time_is_read_to_its_end() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 100))

    assert len(xorb_format.checked_chunks(Slow(xet.XORB), xet.XORB_HASH)) == 15


@pytest.mark.requirement("UP-9")
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the xorb is empty"),
        (xet.chunk(b"abc", version=1), "version 1"),
        (xet.chunk(b"abc", 3), "unknown compression scheme 3"),
        (xet.chunk(b"abc", size=0), "empty or larger"),
        (xet.chunk(b"", length=0, size=5), "empty or larger"),
        (xet.chunk(b"abc", size=131_073), "empty or larger"),
        (xet.chunk(b"abc", size=2), "3 bytes, not 2"),
        (xet.chunk(b"abc", size=4), "3 bytes, not 4"),
        (xet.chunk(b"abc", length=2), "2 bytes, not 3"),
        (xet.chunk(b"abc", length=4), "in the middle of a record"),
        (xet.chunk(b"abc", length=262_145), "empty or larger"),
        (xet.chunk(b"abc")[:5], "in the middle of a record"),
        (xet.chunk(b"abc") + b"x", "in the middle of a record"),
        (xet.chunk(b"abc", 1, payload=b"no LZ4 frame"), "cannot be decompressed"),
        (xet.chunk(b"abc" * 9, 1, payload=lz4.frame.compress(b"abc" * 9)[:-1]), "one LZ4 frame"),
        (xet.chunk(b"abc", 1, payload=lz4.frame.compress(b"abc") + b"x"), "one LZ4 frame"),
        (xet.chunk(b"abc", 1, payload=lz4.frame.compress(b"abc") * 2), "one LZ4 frame"),
        (xet.chunk(b"abc", 1, payload=lz4.frame.compress(b"ab")), "2 bytes, not 3"),
        (xet.chunk(b"abc", 1, payload=lz4.frame.compress(b"abcd")), "4 bytes, not 3"),
        (xet.chunk(b"abc") + b"XETBLOB\0" + bytes(100), "update hf_xet"),
    ],
)
def test_a_malformed_xorb_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    assert reason in refusal(body)


def test_a_xorb_under_another_hash_is_refused() -> None:
    other = xet.XORB_HASH.replace("a", "b")
    assert refusal(xet.XORB, other) == f"the xorb has the hash {xet.XORB_HASH}, not {other}"


def test_too_many_chunks_are_refused() -> None:
    assert "more than 8,192 chunks" in refusal(xet.chunk(b"x") * 8_193)


def test_more_bytes_than_a_xorb_holds_are_refused() -> None:
    assert "larger than 64 MiB" in refusal(xet.chunk(bytes(1 << 17)) * 513)


def test_a_xorb_of_64_mib_is_read_with_its_headers() -> None:
    body = xet.chunk(bytes(1 << 17)) * 512
    name = hashing.to_hex(xet.tree_root([bytes(1 << 17)] * 512))
    assert len(xorb_format.checked_chunks(io.BytesIO(body), name)) == 512


def test_a_decompression_bomb_makes_no_more_than_a_chunk() -> None:
    bomb = lz4.frame.compress(bytes(60_000_000), block_size=lz4.frame.BLOCKSIZE_MAX4MB)
    body = xet.chunk(bytes(1 << 17), 1, payload=bomb[: 1 << 18])
    tracemalloc.start()
    try:
        assert "131073 bytes, not 131072" in refusal(body)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_a_xorb_that_expands_beyond_its_own_limit_is_refused() -> None:
    body = xet.chunk(bytes(1 << 17), 1) * 513
    assert len(body) < 1_000_000
    assert "larger than 64 MiB" in refusal(body)


@pytest.mark.parametrize(
    "text", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 63 + "\n", "é" * 64, "٣" * 64]
)
def test_a_hash_that_is_not_64_hex_digits_is_refused(text: str) -> None:
    with pytest.raises(MalformedXet, match="64 lower-case hex digits"):
        hashing.from_hex(text)


def test_the_text_of_a_hash_has_its_words_reversed() -> None:
    digest = bytes(range(32))
    assert hashing.to_hex(digest).startswith("07060504030201000f0e0d0c")
    assert hashing.from_hex(hashing.to_hex(digest)) == digest
