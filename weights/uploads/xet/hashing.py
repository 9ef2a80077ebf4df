"""Hashes of the Xet formats: keyed BLAKE3 of chunks, and the tree over them.

Follows the specification of Xet, "Hashing" (https://huggingface.co/docs/xet/hashing). Every hash
has 32 bytes.
"""

import re
import struct
from itertools import count

from blake3 import blake3

from weights.uploads.xet.errors import MalformedXet

HASH_SIZE = 32
_CHUNK_KEY = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
_NODE_KEY = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
_RANGE_KEY = bytes.fromhex("7f1857d6ce56ed66127ff913e7a5c3f3a4cd26d5b5db49e64124987f28fb94c3")
_FILE_KEY = bytes(HASH_SIZE)
_HEX = re.compile(r"[0-9a-f]{64}")
_WORDS = struct.Struct("<4Q")
#: Children of a node of the tree: at least three unless fewer are left, at most nine.
_FEWEST, _MOST = 3, 9


def to_hex(digest: bytes) -> str:
    """The text of a hash: its four little-endian words, each as 16 hex digits."""
    return "{:016x}{:016x}{:016x}{:016x}".format(*_WORDS.unpack(digest))


def from_hex(text: str) -> bytes:
    """The hash of a text; raises MalformedXet."""
    if not _HEX.fullmatch(text):
        raise MalformedXet("a hash is not 64 lower-case hex digits")
    return _WORDS.pack(*(int(text[start : start + 16], 16) for start in range(0, 64, 16)))


def chunk_hash(content: bytes) -> bytes:
    return blake3(content, key=_CHUNK_KEY).digest()


def range_hash(chunk_hashes: bytes) -> bytes:
    """The verification hash of a term, from the concatenated hashes of its chunks."""
    return blake3(chunk_hashes, key=_RANGE_KEY).digest()


def file_hash(root: bytes) -> bytes:
    """The hash of a file, from the root of the tree over its chunks."""
    return blake3(root, key=_FILE_KEY).digest()


class HashTree:
    """The hash tree of a xorb or file, built incrementally as chunks arrive.

    It holds at most nine nodes of each level, whatever the number of chunks.
    """

    def __init__(self) -> None:
        self._levels: list[list[tuple[bytes, int]]] = [[]]

    def add(self, digest: bytes, size: int, level: int = 0) -> None:
        """Append a chunk of `size` bytes; `level` is used internally."""
        if level == len(self._levels):
            self._levels.append([])
        nodes = self._levels[level]
        nodes.append((digest, size))
        ends_node = digest[24] % 4 == 0  # the last word modulo four
        if len(nodes) == _MOST or (ends_node and len(nodes) >= _FEWEST):
            self._merge(level)

    def _merge(self, level: int) -> None:
        nodes = self._levels[level]
        text = "".join(f"{to_hex(digest)} : {size}\n" for digest, size in nodes)
        total = sum(size for _digest, size in nodes)
        nodes.clear()
        self.add(blake3(text.encode(), key=_NODE_KEY).digest(), total, level + 1)

    def root(self) -> bytes:
        """Complete the tree and return its root, or 32 zero bytes without chunks."""
        for level in count():
            nodes = self._levels[level]
            if level + 1 == len(self._levels) and len(nodes) < 2:
                return nodes[0][0] if nodes else bytes(HASH_SIZE)
            if nodes:
                self._merge(level)
        raise AssertionError("unreachable")  # pragma: no cover
