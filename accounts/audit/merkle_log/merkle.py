"""The Merkle tree of RFC 9162, section 2.1: hashes, proof ranges, consistency verification.

This module needs no database. A Range `(lo, hi)` is the leaves from `lo` up to but excluding
`hi`. A Node `(level, index)` is the root of the 2**level leaves from `index << level`.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256

Range = tuple[int, int]
Node = tuple[int, int]

HASH_BYTES = 32


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root_of(parts: Sequence[bytes]) -> bytes:
    """Combine the roots of complete subtrees, largest first, into one root."""
    if not parts:
        return sha256(b"").digest()
    root = parts[-1]
    for part in reversed(parts[:-1]):
        root = node_hash(part, root)
    return root


class Frontier:
    """The right edge of a tree: the roots of its complete subtrees, largest first.

    Appending needs nothing else: 32 bytes for each bit set in the size.
    """

    def __init__(self, size: int = 0, edge: bytes = b"") -> None:
        self.size = size
        steps = range(0, len(edge), HASH_BYTES)
        self._parts = [edge[start : start + HASH_BYTES] for start in steps]
        if len(self._parts) != size.bit_count():
            raise ValueError(f"the edge of {len(edge)} bytes does not fit a tree of {size} leaves")

    def append(self, leaf: bytes) -> list[tuple[Node, bytes]]:
        """Append a leaf hash. Returns the completed nodes and their hashes, lowest first."""
        completed = []
        root, index, level = leaf, self.size, 0
        while index & 1:
            root = node_hash(self._parts.pop(), root)
            index, level = index >> 1, level + 1
            completed.append(((level, index), root))
        self._parts.append(root)
        self.size += 1
        return completed

    @property
    def root(self) -> bytes:
        return root_of(self._parts)

    @property
    def edge(self) -> bytes:
        return b"".join(self._parts)


def subtrees(leaves: Range) -> Iterator[Node]:
    """Split a proof's range, whose start is aligned, into complete subtrees, largest first."""
    lo, hi = leaves
    while lo < hi:
        level = (hi - lo).bit_length() - 1
        yield level, lo >> level
        lo += 1 << level


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return the ranges whose roots form the inclusion proof of leaf `index`, from the leaf up."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    ranges = []
    lo, hi = 0, size
    while hi - lo > 1:
        middle = lo + _split(hi - lo)
        if index < middle:
            ranges.append((middle, hi))
            hi = middle
        else:
            ranges.append((lo, middle))
            lo = middle
    return ranges[::-1]


def consistency_ranges(first: int, second: int) -> list[Range]:
    """Return the ranges whose roots form the consistency proof from `first` to `second` leaves."""
    if not 0 < first <= second:
        raise ValueError(f"a tree of {second} leaves cannot extend one of {first}")
    ranges: list[Range] = []
    lo, hi, whole = 0, second, True
    while hi != first:
        middle = lo + _split(hi - lo)
        if first <= middle:
            ranges.append((middle, hi))
            hi = middle
        else:
            ranges.append((lo, middle))
            lo, whole = middle, False
    if not whole:
        ranges.append((lo, hi))
    return ranges[::-1]


def _split(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Verify that the second tree extends the first (RFC 9162, section 2.1.4.2)."""
    if first == second:
        return not path and first_root == second_root
    if not 0 < first < second or not path:
        return False
    parts = list(path) if first & (first - 1) else [first_root, *path]
    index, last = first - 1, second - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    old = new = parts[0]
    for part in parts[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            old, new = node_hash(part, old), node_hash(part, new)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            new = node_hash(new, part)
        index, last = index >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root
