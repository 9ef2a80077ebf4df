"""The hashes that prove a place in the tree: two queries, however large the tree is.

Of the tree's inner nodes only every fourth level is kept; those between are made from it.
"""

from collections.abc import Iterable

from accounts.audit.merkle_log import merkle
from accounts.audit.merkle_log.merkle import Node, Range, node_hash, root_of
from accounts.audit.models import SealedNode, SealedRow
from accounts.audit.models.seals import STRIDE

_Hashes = dict[Node, bytes]


class NotSealed(Exception):
    """Leaves or nodes that a proof needs are not there."""


def inclusion(index: int, size: int) -> list[bytes]:
    """What leads from leaf `index` to the root over the first `size` leaves (RFC 9162, 2.1.3).

    Raises NotSealed.
    """
    return _roots(merkle.inclusion_ranges(index, size))


def consistency(first: int, second: int) -> list[bytes]:
    """Prove that the tree of `second` leaves extends that of `first` (RFC 9162, section 2.1.4).

    Raises NotSealed.
    """
    return _roots(merkle.consistency_ranges(first, second))


def _roots(ranges: list[Range]) -> list[bytes]:
    nodes = {one: list(merkle.nodes_of(one)) for one in ranges}
    kept = _read(part for parts in nodes.values() for node in parts for part in _kept_below(node))
    return [root_of([_hash_of(node, kept) for node in nodes[one]]) for one in ranges]


def _kept_below(node: Node) -> list[Node]:
    """The kept nodes from which this one is made: itself, or at most eight."""
    level, index = node
    down = level % STRIDE
    return [(level - down, (index << down) + step) for step in range(1 << down)]


def _read(nodes: Iterable[Node]) -> _Hashes:
    wanted = set(nodes)
    keys = {SealedNode.key(*node): node for node in wanted if node[0]}
    found = {keys[one.pk]: bytes(one.hash) for one in SealedNode.objects.filter(pk__in=list(keys))}
    leaves = SealedRow.objects.filter(index__in=[index for level, index in wanted if not level])
    for index, leaf in leaves.values_list("index", "hash"):
        found[0, index] = bytes(leaf)
    if missing := sorted(wanted - found.keys()):
        raise NotSealed(f"node {missing[0]} of the tree is missing")
    return found


def _hash_of(node: Node, kept: _Hashes) -> bytes:
    level, index = node
    if level % STRIDE == 0:
        return kept[node]
    return node_hash(
        _hash_of((level - 1, index * 2), kept), _hash_of((level - 1, index * 2 + 1), kept)
    )
