"""The Merkle tree of RFC 9162, section 2.1: hashes, proofs, and what checks them.

Plain Python without a database. A range `(lo, hi)` is of leaves, `hi` left out; a node is
`(level, index)`, the root of the 2**level leaves from `index << level` on.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

Range = tuple[int, int]
Node = tuple[int, int]

EMPTY_ROOT = sha256(b"").digest()
HASH_BYTES = 32


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root_of(parts: Sequence[bytes]) -> bytes:
    """The root over the roots of complete subtrees, largest first."""
    if not parts:
        return EMPTY_ROOT
    root = parts[-1]
    for part in reversed(parts[:-1]):
        root = node_hash(part, root)
    return root


class Frontier:
    """A tree as its right edge: the roots of its complete subtrees, largest first.

    All that appending takes, 32 bytes for each bit that is set in the size.
    """

    def __init__(self, size: int = 0, edge: bytes = b"") -> None:
        self.size = size
        steps = range(0, len(edge), HASH_BYTES)
        self._parts = [edge[start : start + HASH_BYTES] for start in steps]
        if len(self._parts) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has another edge")

    def append(self, leaf: bytes) -> list[tuple[Node, bytes]]:
        """Add a leaf's hash; each node above the leaf that it completes, lowest first."""
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


def nodes_of(leaves: Range) -> Iterator[Node]:
    """The complete subtrees of a range that starts where a larger one would, largest first."""
    lo, hi = leaves
    while lo < hi:
        level = (hi - lo).bit_length() - 1
        yield level, lo >> level
        lo += 1 << level


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose roots prove that leaf `index` is in the tree, from the leaf upwards."""
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
    """The ranges whose roots prove that the tree of `second` leaves goes on from `first`."""
    if not 0 < first <= second:
        raise ValueError(f"no tree of {second} leaves goes on from {first}")
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
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def included(leaf: bytes, index: int, size: int, path: Iterable[bytes], root: bytes) -> bool:
    """Whether this path leads from the leaf's hash to the root (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    here, last = index, size - 1
    found = leaf
    for part in path:
        if last == 0:
            return False
        if here & 1 or here == last:
            found = node_hash(part, found)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            found = node_hash(found, part)
        here, last = here >> 1, last >> 1
    return last == 0 and found == root


def consistent(
    first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether this path shows the second tree to go on from the first (RFC 9162, 2.1.4.2)."""
    if first == second:
        return not path and first_root == second_root
    if not 0 < first < second or not path:
        return False
    parts = list(path) if first & (first - 1) else [first_root, *path]
    here, last = first - 1, second - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old = new = parts[0]
    for part in parts[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            old, new = node_hash(part, old), node_hash(part, new)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            new = node_hash(new, part)
        here, last = here >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root
