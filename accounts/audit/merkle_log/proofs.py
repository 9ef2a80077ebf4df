"""Inclusion and consistency proofs, each in two queries whatever the tree size.

Inner nodes are stored only at every fourth level; those between are recomputed.
"""

from collections.abc import Iterable

from accounts.audit.merkle_log import merkle
from accounts.audit.merkle_log.merkle import Node, Range, node_hash, root_of
from accounts.audit.models import SealedNode, SealedRow
from accounts.audit.models.seals import STRIDE

_Hashes = dict[Node, bytes]


class MissingNode(Exception):
    """A leaf or node that a proof needs is not stored."""


def inclusion_proof(index: int, size: int) -> list[bytes]:
    """Prove that leaf `index` is in the tree of `size` leaves (RFC 9162, section 2.1.3).

    Raises MissingNode.
    """
    return _roots(merkle.inclusion_ranges(index, size))


def consistency_proof(first: int, second: int) -> list[bytes]:
    """Prove that the tree of `second` leaves extends that of `first` (RFC 9162, section 2.1.4).

    Raises MissingNode.
    """
    return _roots(merkle.consistency_ranges(first, second))


def _roots(ranges: list[Range]) -> list[bytes]:
    nodes = {leaves: list(merkle.subtrees(leaves)) for leaves in ranges}
    stored = _read(
        part for parts in nodes.values() for node in parts for part in _stored_below(node)
    )
    return [root_of([_hash_of(node, stored) for node in nodes[leaves]]) for leaves in ranges]


def _stored_below(node: Node) -> list[Node]:
    """Return the stored nodes from which to compute this one: itself, or at most eight."""
    level, index = node
    down = level % STRIDE
    return [(level - down, (index << down) + step) for step in range(1 << down)]


def _read(nodes: Iterable[Node]) -> _Hashes:
    wanted = set(nodes)
    keys = {SealedNode.key(*node): node for node in wanted if node[0]}
    stored = {keys[row.pk]: bytes(row.hash) for row in SealedNode.objects.filter(pk__in=list(keys))}
    leaves = SealedRow.objects.filter(index__in=[index for level, index in wanted if not level])
    for index, leaf in leaves.values_list("index", "hash"):
        stored[0, index] = bytes(leaf)
    if missing := sorted(wanted - stored.keys()):
        raise MissingNode(f"node {missing[0]} of the tree is missing")
    return stored


def _hash_of(node: Node, stored: _Hashes) -> bytes:
    level, index = node
    if level % STRIDE == 0:
        return stored[node]
    return node_hash(
        _hash_of((level - 1, index * 2), stored), _hash_of((level - 1, index * 2 + 1), stored)
    )
