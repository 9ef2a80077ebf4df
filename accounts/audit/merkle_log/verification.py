"""Verifies the sealed trail: rereads every row and names the first altered one.

Rows are read in leaf order, in chunks, and the tree is rebuilt along with them, so memory
use does not grow with the log.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from accounts.audit import append_only
from accounts.audit.merkle_log import sealed_tables, signed_notes, unsealed
from accounts.audit.merkle_log.merkle import Frontier, leaf_hash
from accounts.audit.merkle_log.signed_notes import Note, NoteRefused, Verifier
from accounts.audit.models import SealBatch, SealedNode, SealedRow, SignedHead

CHUNK = 2000


class TrailAltered(Exception):
    """The first difference from the sealed trail, in one sentence."""


@dataclass
class Verified:
    """What was found intact: counts, and the tree so far."""

    rows: int = 0
    batches: int = 0
    heads: int = 0
    tree: Frontier = field(default_factory=Frontier)


@dataclass(frozen=True)
class Claim:
    """The root that a head claims for its size, and the head's description for messages."""

    root: bytes
    label: str


class TrailVerification:
    """One pass over the batches; `verified` stays readable after TrailAltered is raised."""

    def __init__(self, after: SealBatch | None = None, copies: Sequence[Note] = ()) -> None:
        """Start at the first batch, or after one that an earlier run verified.

        `copies` are heads stored elsewhere: the tree must produce their roots too.
        """
        start = Frontier(after.size, bytes(after.edge)) if after else Frontier()
        self.verified = Verified(tree=start)
        self.number = after.number if after else 0
        self._copies = copies
        self._logs = {log.number: log for log in sealed_tables.LOGS}

    def run(self) -> None:
        """Verify all batches. Raises TrailAltered."""
        last = SealBatch.objects.order_by("number").last()
        if last is not None:
            while self.next_batches(last.number):
                pass
        self.finish(last)

    def next_batches(self, until: int, limit: int = CHUNK) -> bool:
        """Verify whole batches, none after number `until`, until `limit` rows are reached.

        Returns False if no batch was left. Raises TrailAltered.
        """
        batches = _in_order(self._batches(until, limit), self.number)
        if not batches:
            return False
        claims = self._claims(self.verified.tree.size, batches[-1].size)
        ends = {batch.size: batch for batch in batches}
        start = self.verified.tree.size
        for batch in batches:
            if batch.start != start:
                raise TrailAltered(f"{_label(batch)} begins at row {batch.start}, not at {start}")
            start = batch.size
        for lo in range(self.verified.tree.size, start, CHUNK):
            self._verify_chunk(lo, min(lo + CHUNK, start), ends, claims)
        self.number = batches[-1].number
        return True

    def finish(self, last: SealBatch | None) -> None:
        """Check the end of the log, unsealed rows and triggers. Raises TrailAltered."""
        size = last.size if last else 0
        beyond = SealedRow.objects.filter(index__gte=size).order_by("index")
        head = SignedHead.objects.filter(size__gt=size).order_by("size").first()
        # Leaves and heads may have been added since `last` was read.
        newest = SealBatch.objects.order_by("number").last()
        now = newest.size if newest else 0
        if head and head.size > now:
            raise TrailAltered(
                f"rows are missing at the end: {now} are sealed, a signed head says {head.size}"
            )
        for copy in self._copies:
            if copy.size > now:
                raise TrailAltered(
                    f"rows are missing at the end: {now} are sealed, the copy of a head says"
                    f" {copy.size}"
                )
        stray = beyond.filter(index__gte=now).first()
        if stray:
            raise TrailAltered(f"{self._leaf_label(stray)} is sealed by no batch")
        if last is not None:
            self._verify_nothing_out_of_band(last)
        # Every log has a network column, which retention blanks.
        tables = {**append_only.TRAIL, **{log.table: "network" for log in sealed_tables.LOGS}}
        if altered := append_only.altered_triggers(connection, tables):
            raise TrailAltered(f"the trigger {altered[0]} is missing, disabled or altered")

    def _batches(self, until: int, limit: int) -> list[SealBatch]:
        """Return the next batches with at least `limit` rows, or all that are left."""
        batches: list[SealBatch] = []
        rest = SealBatch.objects.filter(number__gt=self.number, number__lte=until)
        for batch in rest.order_by("number")[:CHUNK]:
            batches.append(batch)
            if batch.size - self.verified.tree.size >= limit:
                break
        return batches

    def _verify_chunk(
        self, lo: int, hi: int, ends: dict[int, SealBatch], claims: dict[int, list[Claim]]
    ) -> None:
        """Verify the leaves from `lo` to `hi`, their rows, and the nodes and roots above them."""
        leaves = list(SealedRow.objects.filter(index__gte=lo, index__lt=hi).order_by("index"))
        rows = self._leaf_inputs(leaves)
        nodes: dict[int, bytes] = {}
        index = lo
        for leaf in leaves:
            if leaf.index != index:
                break
            self._verify_leaf(leaf, rows.get((leaf.log, leaf.row_id)))
            nodes.update(SealedNode.stored(self.verified.tree.append(bytes(leaf.hash))))
            index += 1
            self.verified.rows += 1
            self._verify_root(ends.get(index), claims.get(index, []))
        if index != hi:
            raise TrailAltered(f"leaf {index} is missing, and with it the seal of a row")
        _verify_nodes(nodes)

    def _leaf_inputs(self, leaves: list[SealedRow]) -> dict[tuple[int, int], bytes]:
        """Return (log, row id) -> the bytes to hash, for every existing row."""
        inputs = {}
        for number in {leaf.log for leaf in leaves}:
            log = self._logs.get(number)
            if log is None:
                raise TrailAltered(f"a leaf names log {number}, which does not exist")
            ids = [leaf.row_id for leaf in leaves if leaf.log == number]
            for row in log.rows.filter(pk__in=ids).values_list(*log.fields):
                inputs[number, row[0]] = log.leaf_input(row)
        return inputs

    def _verify_leaf(self, leaf: SealedRow, leaf_input: bytes | None) -> None:
        if leaf_input is None:
            raise TrailAltered(f"{self._leaf_label(leaf)} was removed")
        digest = leaf_hash(leaf_input)
        if digest == bytes(leaf.hash):
            return
        label, other = self._leaf_label(leaf), SealedRow.objects.filter(hash=digest).first()
        if other is not None:
            raise TrailAltered(f"{label} was moved: it was sealed as leaf {other.index}")
        raise TrailAltered(f"{label} was altered after it was sealed")

    def _verify_root(self, batch: SealBatch | None, claims: list[Claim]) -> None:
        tree = self.verified.tree
        for claim in claims:
            if claim.root != tree.root:
                raise TrailAltered(f"{claim.label} has a different root from the rows")
            self.verified.heads += 1
        if batch is None:
            return
        if bytes(batch.root) != tree.root or bytes(batch.edge) != tree.edge:
            raise TrailAltered(f"{_label(batch)} has a different root from its rows")
        self.verified.batches += 1

    def _verify_nothing_out_of_band(self, last: SealBatch) -> None:
        for log in self._logs.values():
            stray = unsealed.out_of_band(last, log).order_by("pk").first()
            if stray is not None:
                raise TrailAltered(
                    f"{log.name} {stray.pk} was inserted out of band: "
                    "rows before and after it are sealed, and it is not"
                )

    def _claims(self, start: int, size: int) -> dict[int, list[Claim]]:
        """Return tree size -> claims of heads and copies, for sizes after `start` up to `size`."""
        claims: dict[int, list[Claim]] = {}
        for head in SignedHead.objects.filter(size__gt=start, size__lte=size).order_by("pk"):
            claims.setdefault(head.size, []).append(_claim_of(head))
        for copy in self._copies:
            if start < copy.size <= size:
                label = f"the copy of a head over {copy.size} rows"
                claims.setdefault(copy.size, []).append(Claim(copy.root, label))
        return claims

    def _leaf_label(self, leaf: SealedRow) -> str:
        log = self._logs.get(leaf.log)
        return f"{log.name if log else leaf.log} {leaf.row_id} (leaf {leaf.index})"


def _in_order(batches: list[SealBatch], number: int) -> list[SealBatch]:
    for batch in batches:
        number += 1
        if batch.number != number:
            raise TrailAltered(f"batch {number} is missing")
    return batches


def _claim_of(head: SignedHead) -> Claim:
    """Return a head's claim. Raises TrailAltered if its note is not validly signed or differs."""
    label = f"the head signed over {head.size} rows"
    try:
        note = signed_notes.parse(head.note)
        note.verify(Verifier.parse(head.vkey))
    except NoteRefused as error:
        raise TrailAltered(f"{label} was altered: {error}") from error
    if (note.size, note.root) != (head.size, bytes(head.root)):
        raise TrailAltered(f"{label} was altered: its note is about {note.size} rows")
    return Claim(note.root, label)


def _verify_nodes(nodes: dict[int, bytes]) -> None:
    stored: dict[int, Any] = SealedNode.objects.in_bulk(list(nodes))
    for key, root in nodes.items():
        if key not in stored or bytes(stored[key].hash) != root:
            raise TrailAltered(f"node {key} of the tree does not match its leaves")


def _label(batch: SealBatch) -> str:
    return f"batch {batch.number} (leaves {batch.start} to {batch.size - 1})"
