"""The manifest of a revision as text, and the ids derived from it."""

import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

#: Bytes; larger files are LFS whatever their content (docs/architecture.md#delivery).
LFS_ABOVE = 10_000_000
LFS_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".gguf")

_PART_AND_SHARD = re.compile(r"(?:.*-)?model_part-(\d{1,6})(?:-shard(\d{1,6}))?\.pt")
_SHARD_OF = re.compile(r".+-(\d{1,6})-of-\d{1,6}\.(?:safetensors|bin)")


class Entry(NamedTuple):
    """An entry of a manifest; size in bytes."""

    path: str
    size: int
    sha256: str


def canonical_text(entries: Iterable[Entry]) -> str:
    """Returns the manifest as text: one file per line, sorted by path; equal for equal content."""
    lines = (f"{entry.sha256} {entry.size} {entry.path}\n" for entry in sorted(entries))
    return "weighbridge manifest 1\n" + "".join(lines)


def manifest_sha256(entries: Iterable[Entry]) -> str:
    return hashlib.sha256(canonical_text(entries).encode()).hexdigest()


def revision_sha(manifest: str, parent: str | None) -> str:
    """The 40-hex id of the revision with this manifest hash and this parent."""
    text = f"weighbridge revision 1\nmanifest {manifest}\nparent {parent or '-'}\n"
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def part_and_shard(path: str) -> tuple[int | None, int | None]:
    """Returns the model part and shard number in the file's name, or None for each."""
    name = path.rpartition("/")[2]
    if found := _PART_AND_SHARD.fullmatch(name):
        return int(found[1]), int(found[2]) if found[2] else None
    if found := _SHARD_OF.fullmatch(name):
        return None, int(found[1])
    return None, None


def is_lfs(path: str, size: int, *, is_text: bool) -> bool:
    """True if the Hub's tree marks the file as LFS; its entity tag is then the SHA-256."""
    if size > LFS_ABOVE or not is_text:
        return True
    return size > 0 and path.lower().endswith(LFS_SUFFIXES)


def git_blob_header(size: int) -> bytes:
    """The header that git hashes before a file's bytes."""
    return b"blob %d\0" % size


def lfs_pointer(sha256: str, size: int) -> bytes:
    """The small file that git stores in place of an LFS file."""
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
    ).encode()


def git_blob_id(content: bytes) -> str:
    """The 40-hex id git gives a file with this content."""
    return hashlib.sha1(git_blob_header(len(content)) + content, usedforsecurity=False).hexdigest()
