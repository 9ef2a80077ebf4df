"""The lines of a commit: every limit, every malformed line, and a truncated body."""

import base64
import io
import json
import tracemalloc
from typing import Any

import pytest

from accounts.errors import InvalidValue
from weights.errors import BadBody
from weights.hub_api.publishing import commit_lines
from weights.hub_api.publishing.commit_lines import Header, Lines
from weights.publishing.drafts.commits import AddFile, AddObject, DeleteFile, DeleteFolder

HEADER = {"key": "header", "value": {"summary": "Title", "description": "Text"}}
OID = "ab" * 32


def line(key: str, **value: Any) -> dict[str, Any]:
    return {"key": key, "value": value}


def lines(*objects: Any, end: bytes = b"\n", cut: int = 0) -> Lines:
    """The lines of a body; `cut` bytes at its end never arrive."""
    body = b"\n".join(json.dumps(one).encode() for one in objects) + end
    return Lines(io.BytesIO(body[: len(body) - cut]), len(body))


def operations(*objects: Any, end: bytes = b"\n", cut: int = 0) -> list[Any]:
    read = lines(HEADER, *objects, end=end, cut=cut)
    read.read_header()
    return list(read.read_operations())


def inline(content: bytes, path: str = "a.txt") -> dict[str, Any]:
    encoded = base64.b64encode(content).decode()
    return line("file", path=path, content=encoded, encoding="base64")


@pytest.mark.parametrize("end", [b"\n", b""])
def test_each_kind_of_line_is_read(end: bytes) -> None:
    read = operations(
        inline(b"one"),
        line("file", path="b.txt", content="\u00e9", encoding="utf-8"),
        line("lfsFile", path="w.bin", algo="sha256", oid=OID, size=7),
        line("lfsFile", path="copy.bin", algo="sha256", oid=OID),
        line("deletedFile", path="c.txt"),
        line("deletedFolder", path="old/"),
        end=end,
    )
    assert read == [
        AddFile("a.txt", b"one"),
        AddFile("b.txt", "\u00e9".encode()),
        AddObject("w.bin", OID, 7),
        AddObject("copy.bin", OID, None),
        DeleteFile("c.txt"),
        DeleteFolder("old"),
    ]


def test_the_header_holds_title_text_and_parent() -> None:
    parent = "0a" * 20
    first = line("header", summary=" Title ", description="One\r\ntwo", parentCommit=parent)
    assert lines(first).read_header() == Header("Title\n\nOne\ntwo", parent)
    assert lines(line("header", summary="Title")).read_header() == Header("Title", "")


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (line("file", path="a"), "must be its header"),
        (line("header", summary=""), "1 to 10000 characters"),
        (line("header", summary="x" * 10_001), "1 to 10000 characters"),
        (line("header", summary="x" * 200_000), "more than"),
        (line("header", summary=["x"]), "must be a string"),
        (line("header", summary="a\0b"), "NUL"),
        (line("header", summary="\ud800"), "summary contains NUL or an unpaired surrogate$"),
        (line("header", summary="x", parentCommit="main"), "40 hexadecimal"),
        (["header"], "not NDJSON"),
        ({"key": "header", "value": "x"}, "not NDJSON"),
    ],
)
def test_a_bad_header_is_refused(first: Any, message: str) -> None:
    with pytest.raises((BadBody, InvalidValue), match=message):
        lines(first).read_header()


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (line("rename", path="a"), "no operation 'rename'"),
        (line("file", path="a"), "no content"),
        (line("file", path="a", content="!", encoding="base64"), "not valid base64"),
        (line("file", path="a", content="YQ==YQ==", encoding="base64"), "not valid base64"),
        (line("file", path="a", content="\u00e9", encoding="base64"), "not valid base64"),
        (line("file", path="a", content="YQ==", encoding="gzip"), "not valid base64"),
        (line("file", path="a", content="YQ==", encoding=["base64"]), "not valid base64"),
        (line("file", path="a\0", content=""), "NUL"),
        (line("lfsFile", path="a", algo="sha1", oid="ab" * 20, size=1), "by its SHA-256"),
        (line("lfsFile", path="a", algo="sha256", oid=OID.upper(), size=1), "by its SHA-256"),
        (line("lfsFile", path="a", algo="sha256", oid=OID, size=-1), "number of bytes"),
        (line("lfsFile", path="a", algo="sha256", oid=OID, size=True), "number of bytes"),
        (line("lfsFile", path="a", algo="sha256", oid=OID, size=1.5), "number of bytes"),
        (line("deletedFile", path=["a"]), "must be a string"),
        ({"key": ["file"], "value": {}}, "not NDJSON"),
        ("file", "not NDJSON"),
    ],
)
def test_a_bad_operation_is_refused(operation: Any, message: str) -> None:
    with pytest.raises((BadBody, InvalidValue), match=message):
        operations(operation)


@pytest.mark.parametrize("cut", [1, 2, 30, 95])
def test_a_body_that_ends_early_is_refused(cut: int) -> None:
    with pytest.raises(BadBody, match=r"ended early|not NDJSON"):
        operations(inline(b"one"), inline(b"two"), end=b"", cut=cut)


@pytest.mark.requirement("IN-16")
def test_a_body_that_ends_between_two_lines_is_refused() -> None:
    second = len(json.dumps(inline(b"two")))
    with pytest.raises(BadBody, match="ended early"):
        operations(inline(b"one"), inline(b"two"), cut=second + 1)


@pytest.mark.slow
def test_a_file_beyond_the_size_of_lfs_is_refused() -> None:
    assert operations(inline(b"\0" * 10_000_000))
    with pytest.raises(BadBody, match="LFS"):
        operations(inline(b"\0" * 10_000_001))
    with pytest.raises(BadBody, match="LFS"):
        operations(inline(b"\0" * 20_000_000))


def test_too_many_operations_or_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    deleted = [line("deletedFile", path=f"{n}") for n in range(commit_lines.MAX_OPERATIONS + 1)]
    assert len(operations(*deleted[1:])) == commit_lines.MAX_OPERATIONS
    with pytest.raises(BadBody, match="at most 5000 operations"):
        operations(*deleted)
    # A body of the real limit takes 340 MB.
    monkeypatch.setattr(commit_lines, "MAX_INLINE", 5)
    with pytest.raises(BadBody, match="exceed 5 bytes"):
        operations(inline(b"one"), inline(b"two"))


@pytest.mark.parametrize(
    "bomb", [b"[" * 13_000_000, b"[" + b"[]," * 4_000_000, b'{"a":' * 2_000_000]
)
def test_a_line_of_brackets_costs_no_memory(bomb: bytes) -> None:
    body = json.dumps(HEADER).encode() + b"\n" + bomb
    read = Lines(io.BytesIO(body), len(body))
    read.read_header()
    tracemalloc.start()
    try:
        with pytest.raises(BadBody, match="not NDJSON"):
            list(read.read_operations())
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_only_one_file_is_in_memory_at_a_time() -> None:
    count, size = 12, 2_000_000
    body = b"\n".join(json.dumps(one).encode() for one in [HEADER] + [inline(b"x" * size)] * count)
    read = Lines(io.BytesIO(body), len(body))
    read.read_header()
    tracemalloc.start()
    try:
        assert sum(1 for _ in read.read_operations()) == count
        assert tracemalloc.get_traced_memory()[1] < 8 * size
    finally:
        tracemalloc.stop()
