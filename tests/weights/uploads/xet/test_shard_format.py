"""The parser of shards: a recorded one in full, and hostile ones refused."""

import io
from collections.abc import Callable

import pytest

from tests.support import xet
from weights.uploads.xet import hashing, xorb_format
from weights.uploads.xet.errors import MalformedXet
from weights.uploads.xet.shard_format import FileRecipe, XorbListing, read_shard

pytestmark = pytest.mark.fast

PAIR = xet.Xorb((b"first chunk", b"second chunk"))
FILE = xet.file_block((PAIR, 0, 2))


def read(body: bytes) -> tuple[list[FileRecipe], list[XorbListing]]:
    found = list(read_shard(io.BytesIO(body)))
    return (
        [each for each in found if isinstance(each, FileRecipe)],
        [each for each in found if isinstance(each, XorbListing)],
    )


def refusal(body: bytes) -> str:
    with pytest.raises(MalformedXet) as refused:
        read(body)
    return str(refused.value)


def test_a_recorded_shard_describes_the_files_that_were_sent() -> None:
    recipes, listings = read(xet.SHARD)
    chunks = xorb_format.checked_chunks(io.BytesIO(xet.XORB), xet.XORB_HASH)

    assert {one.sha256: one.size for one in recipes} == xet.sha256s(xet.recorded_files())
    assert [hashing.to_hex(one.digest) for one in listings] == [xet.XORB_HASH]
    assert listings[0].chunks == [(chunk.digest, chunk.size) for chunk in chunks]
    for recipe in recipes:
        tree = hashing.HashTree()
        for term in recipe.terms():
            named = chunks[term.start : term.end]
            assert term.check == hashing.range_hash(b"".join(chunk.digest for chunk in named))
            for chunk in named:
                tree.add(chunk.digest, chunk.size)
        assert hashing.file_hash(tree.root()) == recipe.digest
    assert max(len(list(recipe.terms())) for recipe in recipes) == 2


def test_the_builder_of_these_tests_writes_a_valid_shard() -> None:
    recipes, listings = read(xet.shard(FILE, xorbs=PAIR.listing()))
    assert [one.size for one in recipes] == [len(b"first chunk") + len(b"second chunk")]
    assert [one.digest for one in listings] == [PAIR.digest]


def _edited(position: int, content: bytes) -> Callable[[bytes], bytes]:
    return lambda body: body[:position] + content + body[position + len(content) :]


_HUGE = (0xFFFFFFFF).to_bytes(4, "little")
_FILE_AT, _TERM_AT = 48, 96
_LISTING_AT = 48 + len(FILE) + 48


@pytest.mark.requirement("UP-9")
@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (_edited(0, b"X"), "not a shard of version 2"),
        (_edited(32, b"\x03"), "not a shard of version 2"),
        (_edited(40, b"\xc8"), "has a footer"),
        (lambda body: body[:47], "in the middle of a record"),
        (lambda body: body[:-1], "in the middle of a record"),
        (lambda body: body[:-48], "in the middle of a record"),
        (lambda body: body[: _TERM_AT + 10], "in the middle of a record"),
        (lambda body: body + b"\0", "bytes follow the end"),
        (lambda body: body + body, "bytes follow the end"),
        (_edited(len(xet.shard(FILE)) - 49, b"\x01"), "ends a list is not empty"),
        (_edited(_FILE_AT + 32, bytes(4)), "lacks its verification hashes or its SHA-256"),
        (_edited(_FILE_AT + 35, b"\x80"), "lacks its verification hashes or its SHA-256"),
        (_edited(_FILE_AT + 35, b"\x40"), "lacks its verification hashes or its SHA-256"),
        (_edited(_FILE_AT + 36, bytes(4)), "no terms, or more than a shard can hold"),
        (_edited(_FILE_AT + 36, _HUGE), "no terms, or more than a shard can hold"),
        (_edited(_FILE_AT + 36, b"\xff\xff"), "in the middle of a record"),
        (_edited(_TERM_AT + 36, bytes(4)), "a term has no chunks, no bytes"),
        (_edited(_TERM_AT + 40, b"\x02"), "a term has no chunks, no bytes"),
        (_edited(_TERM_AT + 40, b"\x03"), "a term has no chunks, no bytes"),
        (_edited(_TERM_AT + 44, b"\x01\x20"), "a chunk number above 8,192"),
        (_edited(_LISTING_AT + 36, bytes(4)), "no chunks, more than 8,192"),
        (_edited(_LISTING_AT + 36, _HUGE), "no chunks, more than 8,192"),
        (_edited(_LISTING_AT + 44, _HUGE), "more than 64 MiB"),
        (_edited(_LISTING_AT + 40, b"\xff"), "do not add up"),
    ],
)
def test_a_malformed_shard_is_refused_with_the_reason(
    edit: Callable[[bytes], bytes], reason: str
) -> None:
    assert reason in refusal(edit(xet.shard(FILE, xorbs=PAIR.listing())))


def test_a_file_described_twice_is_refused() -> None:
    assert "twice" in refusal(xet.shard(FILE, FILE))


def test_a_xorb_listed_twice_is_refused() -> None:
    assert "lists a xorb twice" in refusal(xet.shard(FILE, xorbs=PAIR.listing() * 2))


@pytest.mark.parametrize("shift", [-1, 1])
def test_chunks_that_overlap_or_leave_a_gap_are_refused(shift: int) -> None:
    body = xet.shard(FILE, xorbs=PAIR.listing(shift=shift))
    assert "overlap or leave a gap" in refusal(body)


def test_an_empty_upload_is_refused() -> None:
    assert "in the middle of a record" in refusal(b"")
