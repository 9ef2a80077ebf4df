"""The tree of RFC 9162, against its definition and the test vectors of other logs."""

from collections.abc import Iterable
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.audit.merkle_log import merkle
from accounts.audit.merkle_log.merkle import Frontier, Range

pytestmark = pytest.mark.one_database

#: Leaves and roots of the tests of Certificate Transparency.
LEAVES = [
    bytes.fromhex(word)
    for word in (
        *("", "00", "10", "2021", "3031", "40414243"),
        *("5051525354555657", "606162636465666768696a6b6c6d6e6f"),
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def merkle_tree_hash(leaves: list[bytes]) -> bytes:
    """Merkle Tree Hash as section 2.1.1 defines it."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + merkle_tree_hash(leaves[:k]) + merkle_tree_hash(leaves[k:])).digest()


def frontier_of(leaves: list[bytes]) -> Frontier:
    tree = Frontier()
    for leaf in leaves:
        tree.append(merkle.leaf_hash(leaf))
    return tree


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Iterable[bytes], root: bytes
) -> bool:
    """RFC 9162, section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    position, last = index, size - 1
    digest = leaf
    for part in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            digest = merkle.node_hash(part, digest)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            digest = merkle.node_hash(digest, part)
        position, last = position >> 1, last >> 1
    return last == 0 and digest == root


def numbered_leaves(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def roots(leaves: list[bytes], ranges: list[Range]) -> list[bytes]:
    return [merkle_tree_hash(leaves[lo:hi]) for lo, hi in ranges]


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert frontier_of(LEAVES[:size]).root.hex() == ROOTS[size - 1]


def test_the_root_of_an_empty_tree_is_the_hash_of_no_bytes() -> None:
    assert Frontier().root.hex() == sha256().hexdigest()


@given(st.integers(0, 70), st.integers(0, 70))
def test_a_tree_grows_from_its_stored_edge(first: int, more: int) -> None:
    leaves = numbered_leaves(first + more)
    stored = frontier_of(leaves[:first])
    tree = Frontier(stored.size, stored.edge)
    for leaf in leaves[first:]:
        tree.append(merkle.leaf_hash(leaf))
    assert tree.root == merkle_tree_hash(leaves)


def test_each_completed_node_is_returned_once() -> None:
    tree, completed = Frontier(), {}
    for leaf in numbered_leaves(64):
        for node, root in tree.append(merkle.leaf_hash(leaf)):
            assert node not in completed
            completed[node] = root
    for (level, index), root in completed.items():
        assert root == merkle_tree_hash(numbered_leaves(64)[index << level : (index + 1) << level])
    assert len(completed) == 63


@given(st.integers(1, 70), st.data())
def test_an_inclusion_proof_verifies_for_its_own_leaf_and_index_only(
    size: int, data: st.DataObject
) -> None:
    leaves = numbered_leaves(size)
    index = data.draw(st.integers(0, size - 1))
    path = roots(leaves, merkle.inclusion_ranges(index, size))
    leaf, root = merkle.leaf_hash(leaves[index]), merkle_tree_hash(leaves)
    assert verify_inclusion(leaf, index, size, path, root)
    assert not verify_inclusion(merkle.leaf_hash(b"other"), index, size, path, root)
    assert not verify_inclusion(leaf, index, size, [*path, b"x" * 32], root)
    assert not verify_inclusion(leaf, size, size, path, root)
    if size > 1:
        assert not verify_inclusion(leaf, (index + 1) % size, size, path, root)
        assert not verify_inclusion(leaf, index, size, path[1:], root)
        altered = [bytes(32), *path[1:]]
        assert not verify_inclusion(leaf, index, size, altered, root)


@given(st.integers(1, 70), st.integers(1, 70))
def test_a_consistency_proof_verifies_for_its_own_trees_only(one: int, other: int) -> None:
    first, second = sorted([one, other])
    leaves = numbered_leaves(second)
    path = roots(leaves, merkle.consistency_ranges(first, second))
    old, new = merkle_tree_hash(leaves[:first]), merkle_tree_hash(leaves)
    assert merkle.verify_consistency(first, second, old, new, path)
    assert not merkle.verify_consistency(first, second, bytes(32), new, path)
    assert not merkle.verify_consistency(first, second, old, bytes(32), path)
    assert not merkle.verify_consistency(first, second, old, new, [*path, bytes(32)])
    if path:
        assert not merkle.verify_consistency(first, second, old, new, path[1:])
        assert not merkle.verify_consistency(first, second, old, new, [bytes(32), *path[1:]])


@given(st.integers(1, 300), st.data())
def test_a_range_splits_into_complete_subtrees(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    for lo, hi in merkle.inclusion_ranges(index, size):
        nodes = list(merkle.subtrees((lo, hi)))
        covered = [leaf for level, at in nodes for leaf in range(at << level, (at + 1) << level)]
        assert covered == list(range(lo, hi))
        parts = [
            merkle_tree_hash(numbered_leaves(size)[at << n : (at + 1) << n]) for n, at in nodes
        ]
        assert merkle.root_of(parts) == merkle_tree_hash(numbered_leaves(size)[lo:hi])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3), (3, 3)])
def test_a_leaf_beyond_the_tree_has_no_inclusion_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion_ranges(index, size)
