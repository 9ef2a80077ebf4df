"""A recorded upload of hf_xet 1.8.0, and builders of xorbs and shards, valid or not."""

import hashlib
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lz4.frame

from weights.uploads.xet import hashing

_RECORDED = Path(__file__).parent.parent / "weights" / "uploads" / "xet" / "recorded"
#: The bodies that `hf upload` sent for `recorded_files`; the xorb has every compression scheme.
XORB = (_RECORDED / "upload.xorb").read_bytes()
XORB_HASH = "ab51f35ae2a4922e43fa30f15d5e6a5be3732438a671aaca08bfebaac1e409bf"
XORB_CRC64NVME = "18045849418946118158"
SHARD = (_RECORDED / "upload.shard").read_bytes()

TAG = SHARD[:32]
END = b"\xff" * 32 + bytes(16)


def recorded_files() -> dict[str, bytes]:
    """The files of the recorded upload; `a.bin` contains the same twelve chunks twice."""
    randoms = random.Random(7)
    noise = randoms.randbytes(9_000)
    runs = b"".join(bytes([64 + number, *b"weights"]) * (16 * 1024) for number in range(12))
    floats = b"".join(struct.pack("<f", 1 + randoms.random() / 1000) for _ in range(6_000))
    words = " ".join(randoms.choices(["chunk", "xorb", "shard", "term"], k=4_000)).encode()
    return {"a.bin": runs + runs + noise, "b.bin": floats + b"end", "c.bin": words}


def sha256s(files: dict[str, bytes]) -> dict[str, int]:
    """The sizes of the files by their SHA-256."""
    return {hashlib.sha256(content).hexdigest(): len(content) for content in files.values()}


def chunk(
    content: bytes,
    scheme: int = 0,
    *,
    version: int = 0,
    payload: bytes | None = None,
    length: int | None = None,
    size: int | None = None,
) -> bytes:
    """One chunk of a xorb; `payload`, `length` and `size` replace the correct values."""
    if payload is None:
        payload = lz4.frame.compress(content) if scheme == 1 else content
    sizes = [
        (len(payload) if length is None else length).to_bytes(3, "little"),
        (len(content) if size is None else size).to_bytes(3, "little"),
    ]
    return bytes([version]) + sizes[0] + bytes([scheme]) + sizes[1] + payload


@dataclass(frozen=True)
class Xorb:
    """A xorb with these contents, without compression."""

    contents: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        return b"".join(chunk(content) for content in self.contents)

    @property
    def digests(self) -> list[bytes]:
        return [hashing.chunk_hash(content) for content in self.contents]

    @property
    def digest(self) -> bytes:
        return tree_root(self.contents)

    @property
    def name(self) -> str:
        return hashing.to_hex(self.digest)

    def listing(self, *, shift: int = 0) -> bytes:
        """Its block in a shard; `shift` changes the start of its last chunk."""
        entries, start = b"", 0
        for content, digest in zip(self.contents, self.digests, strict=True):
            last = digest == self.digests[-1]
            entries += record(digest, start + (shift if last else 0), len(content))
            start += len(content)
        count = len(self.contents)
        return record(self.digest, 0, count, start, len(self.body)) + entries


def tree_root(contents: Sequence[bytes]) -> bytes:
    tree = hashing.HashTree()
    for content in contents:
        tree.add(hashing.chunk_hash(content), len(content))
    return tree.root()


def record(digest: bytes, *numbers: int) -> bytes:
    return digest + struct.pack("<4I", *numbers, *[0] * (4 - len(numbers)))


def file_block(
    *terms: tuple[Xorb, int, int],
    sha256: str = "",
    digest: bytes = b"",
    size_error: int = 0,
    check: bytes = b"",
    flags: int = 0xC0000000,
) -> bytes:
    """A file's block with these terms (xorb, first chunk, end); arguments replace true values."""
    contents = [content for xorb, start, end in terms for content in xorb.contents[start:end]]
    sha256 = sha256 or hashlib.sha256(b"".join(contents)).hexdigest()
    digest = digest or hashing.file_hash(tree_root(contents))
    entries, checks = b"", b""
    for xorb, start, end in terms:
        size = sum(map(len, xorb.contents[start:end])) + size_error
        entries += record(xorb.digest, 0, size, start, end)
        true_check = hashing.range_hash(b"".join(xorb.digests[start:end]))
        checks += record(check or true_check)
    metadata = record(hashing.from_hex(sha256))
    return record(digest, flags, len(terms)) + entries + checks + metadata


def shard(*blocks: bytes, xorbs: bytes = b"", footer_size: int = 0, version: int = 2) -> bytes:
    header = TAG + struct.pack("<QQ", version, footer_size)
    return header + b"".join(blocks) + END + xorbs + END
