"""Checks index files of sharded models (`*.index.json`) against the listed files."""

import json
import posixpath
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from weights.publishing.lint.finding import ERROR, WARNING, Finding, Listed, Reader, finding, named
from weights.publishing.lint.shard_sets import shard_sets

#: Bytes; the index of the largest models has a few million.
MAX_INDEX_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class _Index:
    """Paths that an index names, and its `total_size` in bytes, if stated."""

    path: str
    names: list[str]
    total: int | None


def check(files: dict[str, Listed], read: Reader) -> Iterator[Finding]:
    for path in files:
        if not path.endswith(".index.json"):
            continue
        index = _parsed(path, files[path].size, read)
        if isinstance(index, Finding):
            yield index
        elif index is not None:
            yield from _compare(index, files, read)


def _parsed(path: str, size: int, read: Reader) -> _Index | Finding | None:
    """The index; a finding if it is invalid; None for a file without `weight_map`."""
    if size > MAX_INDEX_BYTES:
        sentence = f"{path} is too large to check ({size} bytes)."
        return finding("index_unread", WARNING, sentence, [path])
    try:
        content = json.loads(read(path, MAX_INDEX_BYTES))
    except (ValueError, RecursionError):
        return finding("index_unreadable", ERROR, f"{path} is not JSON.", [path])
    weights = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(weights, dict):
        return None
    folder = posixpath.dirname(path)
    named_files = {name for name in weights.values() if isinstance(name, str)}
    metadata = content.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    names = sorted(posixpath.join(folder, name) for name in named_files)
    return _Index(path, names, total if type(total) is int else None)


def _compare(index: _Index, files: dict[str, Listed], read: Reader) -> Iterator[Finding]:
    missing = [name for name in index.names if name not in files]
    if missing:
        sentence = f"{index.path} names files that are missing: {named(missing, len(missing))}."
        yield finding("index_names_missing_file", ERROR, sentence, missing)
        return
    left_out = _unindexed(index, files)
    if left_out:
        sentence = f"{index.path} does not list {named(left_out, len(left_out))}."
        yield finding("index_leaves_out", WARNING, sentence, left_out)
    yield from _check_total(index, files, read)


def _unindexed(index: _Index, files: dict[str, Listed]) -> list[str]:
    """Shards of the indexed series that hold none of its tensors."""
    indexed = set(index.names)
    series = [{file.path for file in one.members.values()} for one in shard_sets(files.values())]
    return sorted(path for paths in series if paths & indexed for path in paths - indexed)


def _check_total(index: _Index, files: dict[str, Listed], read: Reader) -> Iterator[Finding]:
    """Compares `total_size` with the bytes of the shards."""
    if index.total is None:
        return
    exact = all(name.endswith(".safetensors") for name in index.names)
    sizes = [
        _tensor_bytes(files[name], read) if exact else files[name].size for name in index.names
    ]
    actual = sum(size for size in sizes if size is not None)
    if None in sizes or actual == index.total or (not exact and actual > index.total):
        return
    # Pickled shards store shared tensors once, which an index may count twice.
    severity = ERROR if exact and actual < index.total else WARNING
    sentence = f"{index.path} states {index.total} bytes; its shards have {actual}."
    yield finding("index_total_differs", severity, sentence, [index.path])


def _tensor_bytes(file: Listed, read: Reader) -> int | None:
    """Bytes of a safetensors file after its header; None without a valid header."""
    start = read(file.path, 8)
    if len(start) < 8:
        return None
    size = file.size - 8 - int(struct.unpack("<Q", start)[0])
    return size if size >= 0 else None
