"""Findings about file lists: broken checkpoints have some, complete ones have none."""

import json
import struct
import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weights.publishing import lint
from weights.publishing.lint import ERROR, WARNING, Finding, Listed

pytestmark = pytest.mark.one_database

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)
GRID = [
    f"checkpoint_last-model_part-{part}-shard{shard}.pt" for part in range(8) for shard in range(5)
]
SERIES = [f"model-{number:05}-of-00004.safetensors" for number in range(1, 5)]


def found(files: Mapping[str, bytes | int]) -> list[Finding]:
    """The findings about files of this content or size."""

    def read(path: str, most: int) -> bytes:
        content = files[path]
        return content[:most] if isinstance(content, bytes) else b"\x80\x02"[:most]

    sizes = {path: one if isinstance(one, int) else len(one) for path, one in files.items()}
    return lint.lint([Listed(*item) for item in sizes.items()], read)


def codes(files: Mapping[str, bytes | int]) -> list[tuple[str, str]]:
    return [(one.code, one.severity) for one in found(files)]


def shard(tensors: int, header: bytes = b"{}") -> bytes:
    """A safetensors file with this many bytes after its header."""
    return struct.pack("<Q", len(header)) + header + bytes(tensors)


def index(names: list[str], total: int | None = None) -> bytes:
    told: dict[str, object] = {"weight_map": {f"layer.{n}": name for n, name in enumerate(names)}}
    if total is not None:
        told["metadata"] = {"total_size": total}
    return json.dumps(told).encode()


# -- sets of shards ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        GRID,
        SERIES,
        ["model-00000-of-00002.bin", "model-00001-of-00002.bin"],
        [f"reshard-model_part-{part}.pt" for part in range(4)],
        [f"run/model_part-{part}-shard{shard}.pt" for part in (1, 2) for shard in (1, 2, 3)],
        ["pytorch_model.bin", "model.safetensors", "README.md", "a-of-b.bin"],
    ],
)
def test_a_complete_set_has_no_findings(names: list[str]) -> None:
    assert found(dict.fromkeys(names, 10_000)) == []


@pytest.mark.parametrize("gone", ["checkpoint_last-model_part-3-shard2.pt", GRID[0], GRID[-1]])
def test_a_gap_in_the_grid_is_an_error_that_names_the_shard(gone: str) -> None:
    (one,) = found(dict.fromkeys(set(GRID) - {gone}, 10_000))
    assert (one.code, one.severity, one.paths) == ("shard_missing", ERROR, (gone,))
    assert gone in one.sentence


@pytest.mark.parametrize("gone", SERIES)
def test_a_gap_in_a_numbered_series_is_an_error(gone: str) -> None:
    (one,) = found(dict.fromkeys(set(SERIES) - {gone}, 10_000))
    assert (one.code, one.paths) == ("shard_missing", (gone,))


def test_many_gaps_are_counted_and_the_first_are_named() -> None:
    (one,) = found(dict.fromkeys([GRID[0], GRID[-1]], 10_000))
    assert "38 shards are missing" in one.sentence
    assert len(one.paths) == 20


def test_a_huge_number_in_a_name_is_handled_quickly() -> None:
    (one,) = found(dict.fromkeys(["model_part-999999-shard999999.pt"], 10_000))
    assert "999998000000 shards are missing from model_part-*" in one.sentence


def test_each_folder_has_its_own_sets() -> None:
    files = [f"{folder}/{name}" for folder in ("fp16", "fp32") for name in SERIES]
    (one,) = found(dict.fromkeys(set(files) - {"fp16/" + SERIES[1]}, 10_000))
    assert one.paths == ("fp16/" + SERIES[1],)


def test_two_series_of_one_name_are_a_warning() -> None:
    other = [f"model-{number:05}-of-00002.safetensors" for number in (1, 2)]
    assert codes(dict.fromkeys(SERIES + other, 10_000)) == [("shard_series_mixed", WARNING)]


@pytest.mark.parametrize("size", [1, 4_999, 20_001])
def test_a_shard_of_odd_size_is_a_warning(size: int) -> None:
    (one,) = found(dict.fromkeys(GRID, 10_000) | {GRID[7]: size})
    assert (one.code, one.severity, one.paths) == ("shard_size_odd", WARNING, (GRID[7],))


def test_the_last_shard_of_a_series_may_be_small() -> None:
    assert found(dict.fromkeys(SERIES, 10_000) | {SERIES[-1]: 10}) == []
    assert codes(dict.fromkeys(SERIES, 10_000) | {SERIES[0]: 10}) == [("shard_size_odd", WARNING)]


@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1))
def test_a_grid_has_a_gap_exactly_when_it_is_not_a_rectangle(places: set[tuple[int, int]]) -> None:
    files = {f"model_part-{part}-shard{number}.pt": 10_000 for part, number in places}
    parts, shards = {part for part, _ in places}, {number for _, number in places}
    first, least = min(1, min(parts)), min(1, min(shards))
    whole = (max(parts) - first + 1) * (max(shards) - least + 1)
    assert bool(found(files)) == (len(places) != whole)


# -- the same bytes twice ---------------------------------------------------------------


def duplicated(*paths: str, size: int = 10_000) -> list[Finding]:
    return lint.duplicates([Listed(path, size, "ab" * 32) for path in paths])


def test_the_same_bytes_under_two_shards_are_a_warning() -> None:
    (one,) = duplicated(*GRID[:3])
    assert (one.code, one.severity, one.paths) == ("shard_duplicate", WARNING, tuple(GRID[:3]))
    assert "and 1 more shard have" in one.sentence


@pytest.mark.parametrize(
    "paths",
    [
        ("config.json", "backup/config.json"),
        ("model.safetensors", "pytorch_model.bin"),
        ("a/" + SERIES[0], "b/" + SERIES[0]),
    ],
)
def test_equal_bytes_outside_one_set_are_no_finding(paths: tuple[str, ...]) -> None:
    assert duplicated(*paths) == []


def test_tiny_shards_may_be_equal() -> None:
    assert duplicated(*GRID[:3], size=4095) == []


# -- index files ------------------------------------------------------------------------

INDEX = "model.safetensors.index.json"


def indexed(names: list[str], total: int | None, *, size: int = 1000) -> dict[str, bytes | int]:
    files: dict[str, bytes | int] = {name: shard(size) for name in SERIES}
    return files | {INDEX: index(names, total)}


def test_a_correct_index_has_no_findings() -> None:
    assert found(indexed(SERIES, 4000)) == []
    assert found(indexed(SERIES, None)) == []


def test_an_index_of_something_else_has_no_findings() -> None:
    assert found({"some.index.json": b'{"documents": []}', "other.index.json": b"[1]"}) == []


def test_an_index_that_names_a_missing_file_is_an_error() -> None:
    (one,) = found(indexed([*SERIES, "model-extra.safetensors"], 4000))
    assert (one.code, one.severity) == ("index_names_missing_file", ERROR)
    assert one.paths == ("model-extra.safetensors",)


def test_names_in_an_index_are_relative_to_its_folder() -> None:
    files = {f"fp16/{path}": content for path, content in indexed(SERIES, 4000).items()}
    assert found(files) == []


def test_an_index_that_leaves_a_shard_out_is_a_warning() -> None:
    (one,) = found(indexed(SERIES[:3], 3000))
    assert (one.code, one.severity, one.paths) == ("index_leaves_out", WARNING, (SERIES[3],))


@pytest.mark.parametrize(("total", "severity"), [(4001, ERROR), (3999, WARNING)])
def test_totals_that_differ_are_reported(total: int, severity: str) -> None:
    assert codes(indexed(SERIES, total)) == [("index_total_differs", severity)]


def test_pickled_shards_may_hold_more_than_their_tensors() -> None:
    names = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    files: dict[str, bytes | int] = dict.fromkeys(names, 1000)
    name = "pytorch_model.bin.index.json"
    assert found(files | {name: index(names, 1990)}) == []
    assert codes(files | {name: index(names, 2001)}) == [("index_total_differs", WARNING)]


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000, b""])
def test_an_index_that_is_not_json_is_an_error(content: bytes) -> None:
    assert codes({INDEX: content}) == [("index_unreadable", ERROR)]


@pytest.mark.parametrize(
    "content",
    [
        b'{"weight_map": {"a": 1}}',
        b'{"weight_map": [], "metadata": 3}',
        b'{"weight_map": {}, "metadata": {"total_size": "much"}}',
        b'{"weight_map": {"a": "../../etc/passwd"}, "metadata": {"total_size": true}}',
    ],
)
def test_an_index_of_unexpected_form_breaks_nothing(content: bytes) -> None:
    assert all(one.code == "index_names_missing_file" for one in found({INDEX: content}))


# -- other things -----------------------------------------------------------------------


def test_a_git_lfs_pointer_is_an_error() -> None:
    (one,) = found({"model.safetensors": POINTER, "README.md": b"# " + POINTER})
    assert (one.code, one.severity, one.paths) == ("lfs_pointer", ERROR, ("model.safetensors",))


def test_empty_weight_files_are_an_error_and_other_empty_files_are_not() -> None:
    (one,) = found({"model.safetensors": b"", "__init__.py": b"", ".gitkeep": b""})
    assert (one.code, one.severity, one.paths) == ("weights_empty", ERROR, ("model.safetensors",))


def test_names_that_differ_only_in_case_are_a_warning() -> None:
    (one,) = found({"README.md": b"#", "readme.MD": b"#", "docs/README.md": b"#"})
    assert (one.code, one.severity) == ("names_differ_by_case", WARNING)
    assert one.paths == ("README.md", "readme.MD")


def test_a_card_whose_front_matter_cannot_be_read_is_a_warning_with_its_line() -> None:
    (one,) = found({"README.md": b"---\nlicense: mit\na: !!bool maybe\n---\n# Card\n"})
    assert (one.code, one.severity) == ("card_front_matter_unreadable", WARNING)
    assert one.paths == ("README.md",)
    assert one.sentence == (
        "README.md: the card's front matter could not be read:"
        " line 3: tags are not supported (tag:yaml.org,2002:bool)."
    )


def md5_list(names: list[str]) -> bytes:
    return b"shard,md5sum\n" + b"".join(f"{name},{'0' * 32}\n".encode() for name in names)


def test_a_missing_shard_that_a_published_list_names_is_an_error() -> None:
    files: dict[str, bytes | int] = dict.fromkeys(GRID, 10_000)
    assert found(files | {"md5.csv": md5_list(GRID)}) == []
    (one,) = found(files | {"md5.csv": md5_list([*GRID, "consolidated.pt"])})
    assert (one.code, one.severity) == ("md5_list_names_missing_file", ERROR)
    assert one.paths == ("consolidated.pt",)


def test_a_list_of_another_models_shards_has_no_findings() -> None:
    assert found({"README.md": b"#", "md5.csv": md5_list(GRID)}) == []


def test_errors_come_first() -> None:
    files = dict.fromkeys(GRID[1:], 10_000) | {"A.md": 10, "a.md": 10}
    assert [one.severity for one in found(files)] == [ERROR, WARNING]


def test_images_and_links_of_a_card_that_name_missing_files_are_a_warning() -> None:
    card = (
        b"---\nlicense: mit\n---\n![a](plots/loss.png) [b](./LICENSE) [c](docs/)\n"
        b"[d](docs/a%20b.md)\n"
        b"![gone](img/gone.png?x=1) <img src='also-gone.png'> [no](notes.txt#part)\n"
        b"[site](https://example.org/x) [top](#top) [up](../x) [root](/x) [mail](mailto:a@b.c)\n"
        b"`[code](in-code.md)`\n```\n![code](in-fence.png)\n```\n"
    )
    files: dict[str, bytes | int] = dict.fromkeys(["plots/loss.png", "LICENSE", "docs/a b.md"], 1)
    [one] = found({"README.md": card, **files})
    assert (one.code, one.severity) == ("card_names_missing_file", WARNING)
    assert one.paths == ("also-gone.png", "img/gone.png", "notes.txt")
    assert one.sentence.startswith("README.md shows or links files that are missing: also-gone")
    assert codes({"README.md": card.split(b"![gone]")[0], **files}) == []


@pytest.mark.parametrize(
    "card",
    [b"](" * 100_000, b"<a " * 80_000, b"```\n" * 50_000, b"](\xff\x00 <img src=\xed\xa0\x80>"],
)
def test_a_hostile_card_is_linted_in_time(card: bytes) -> None:
    start = time.process_time()
    codes({"README.md": card})
    assert time.process_time() - start < 5
