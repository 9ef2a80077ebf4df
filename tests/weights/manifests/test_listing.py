"""Manifests, the ids derived from them, and git's ids of files."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weights.manifests import listing
from weights.manifests.listing import Entry
from weights.publishing.digests import Digester

pytestmark = pytest.mark.one_database

ONE = Entry("a.bin", 3, "a" * 64)
TWO = Entry("b/c.bin", 0, "b" * 64)


def test_the_canonical_text_lists_files_by_path() -> None:
    lines = listing.canonical_text([TWO, ONE]).splitlines()
    assert lines[1:] == [f"{'a' * 64} 3 a.bin", f"{'b' * 64} 0 b/c.bin"]


def test_the_order_of_files_does_not_matter_and_each_field_does() -> None:
    same = listing.manifest_sha256([ONE, TWO])
    assert listing.manifest_sha256([TWO, ONE]) == same
    changed = [ONE._replace(path="a"), ONE._replace(size=4), ONE._replace(sha256="c" * 64)]
    assert same not in [listing.manifest_sha256([other, TWO]) for other in changed]


def test_a_revision_is_named_by_manifest_and_parent() -> None:
    shas = {
        listing.revision_sha("a" * 64, None),
        listing.revision_sha("a" * 64, "1" * 40),
        listing.revision_sha("b" * 64, None),
    }
    assert len(shas) == 3
    assert all(len(sha) == 40 and set(sha) <= set("0123456789abcdef") for sha in shas)


@pytest.mark.parametrize(
    ("path", "numbers"),
    [
        ("checkpoint_last-model_part-7-shard123.pt", (7, 123)),
        ("deep/checkpoint_last-model_part-0-shard0.pt", (0, 0)),
        ("reshard-model_part-3.pt", (3, None)),
        ("model-00001-of-00003.safetensors", (None, 1)),
        ("pytorch_model-00002-of-00002.bin", (None, 2)),
        ("reshard.pt", (None, None)),
        ("model_part-1.txt", (None, None)),
        ("model-00001-of-00003.json", (None, None)),
    ],
)
def test_part_and_shard_are_read_from_the_name(
    path: str, numbers: tuple[int | None, int | None]
) -> None:
    assert listing.part_and_shard(path) == numbers


@pytest.mark.parametrize(
    ("path", "size", "is_text", "lfs"),
    [
        ("config.json", 100, True, False),
        ("vocab.json", 10_000_000, True, False),
        ("vocab.json", 10_000_001, True, True),
        ("picture.png", 100, False, True),
        ("tiny.pt", 1, True, True),
        ("TINY.SafeTensors", 1, True, True),
        ("empty.bin", 0, True, False),
        ("merges.txt", 0, True, False),
    ],
)
def test_a_file_is_lfs_by_size_content_or_name(
    path: str, size: int, is_text: bool, lfs: bool
) -> None:
    assert listing.is_lfs(path, size, is_text=is_text) is lfs


def digest(content: bytes, step: int) -> Digester:
    digester = Digester(len(content), md5=True)
    for start in range(0, len(content), step):
        digester.update(memoryview(content)[start : start + step])
    return digester


@given(st.binary(max_size=300), st.integers(1, 7))
def test_digests_are_those_of_the_whole_however_it_is_cut(content: bytes, step: int) -> None:
    found = digest(content, step).result()
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.md5 == hashlib.md5(content).hexdigest()  # noqa: S324 - as published lists have it
    assert found.git_oid == listing.git_blob_id(content)


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers(1, 5)
)
def test_text_is_known_as_text_even_where_a_character_is_cut(text: str, step: int) -> None:
    assert digest(text.encode(), step).result().is_text


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\0b", b"half \xc3", b"\xc3\x28"])
def test_bytes_that_are_not_utf8_or_contain_nul_are_not_text(content: bytes) -> None:
    assert not digest(content, 1).result().is_text


def test_a_large_file_has_no_git_id_of_its_own() -> None:
    digester = Digester(listing.LFS_ABOVE + 1)
    digester.update(memoryview(bytes(10)))
    assert digester.result().git_oid == ""


def test_git_agrees_on_blob_ids(tmp_path: Path) -> None:
    content = listing.lfs_pointer("a" * 64, 12345)
    (tmp_path / "pointer").write_bytes(content)
    asked = subprocess.run(
        ["git", "hash-object", "--no-filters", "pointer"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout.strip() == listing.git_blob_id(content)
