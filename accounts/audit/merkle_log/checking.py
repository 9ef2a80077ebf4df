"""Read all that is sealed again, and name the first row that is not as it was.

Rows are read in the order of their leaves, a few thousand at a time, and the tree is built
anew beside them: memory is flat, whatever the log holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from accounts.audit import append_only
from accounts.audit.merkle_log import logs, notes, waiting
from accounts.audit.merkle_log.logs import Log
from accounts.audit.merkle_log.merkle import Frontier, leaf_hash
from accounts.audit.merkle_log.notes import Note, NoteRefused, Verifier
from accounts.audit.models import SealBatch, SealedNode, SealedRow, SignedHead
from accounts.audit.models.seals import STRIDE

CHUNK = 2000


class TrailAltered(Exception):
    """The first thing found that is not as it was sealed, as one sentence."""


@dataclass
class Checked:
    """What was read so far, and found good."""

    rows: int = 0
    batches: int = 0
    heads: int = 0
    tree: Frontier = field(default_factory=Frontier)


@dataclass(frozen=True)
class Claim:
    """The root that a head names for its size, and what to call that head."""

    root: bytes
    said: str


class Check:
    """One reading from batch to batch; `done` counts what proved good, also after a fault."""

    def __init__(self, after: SealBatch | None = None, copies: Sequence[Note] = ()) -> None:
        """Begin with the first batch, or where an earlier reading ended well.

        `copies` are heads that were kept elsewhere: the tree must lead to their roots too.
        """
        start = Frontier(after.size, bytes(after.edge)) if after else Frontier()
        self.done = Checked(tree=start)
        self.number = after.number if after else 0
        self._copies = copies
        self._logs = {log.number: log for log in logs.LOGS}

    def to_the_end(self) -> None:
        """Everything there is now. Raises TrailAltered."""
        last = SealBatch.objects.order_by("number").last()
        if last is not None:
            while self.next_batches(last.number):
                pass
        self.ends(last)

    def next_batches(self, until: int, most: int = CHUNK) -> bool:
        """Read on through the batch in which `most` rows are reached; whether there was one.

        Raises TrailAltered.
        """
        batches = _in_order(self._batches_of(until, most), self.number)
        if not batches:
            return False
        heads = self._heads(self.done.tree.size, batches[-1].size)
        ends = {batch.size: batch for batch in batches}
        start = self.done.tree.size
        for batch in batches:
            if batch.start != start:
                raise TrailAltered(f"{_said(batch)} begins at row {batch.start}, not at {start}")
            start = batch.size
        for lo in range(self.done.tree.size, start, CHUNK):
            self._read(lo, min(lo + CHUNK, start), ends, heads)
        self.number = batches[-1].number
        return True

    def ends(self, last: SealBatch | None) -> None:
        """What must hold of the whole once every batch was read. Raises TrailAltered."""
        size = last.size if last else 0
        beyond = SealedRow.objects.filter(index__gte=size).order_by("index")
        head = SignedHead.objects.filter(size__gt=size).order_by("size").first()
        # Both may have come since `last` was read.
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
            raise TrailAltered(f"{self._said(stray)} is sealed by no batch")
        if last is not None:
            self._nothing_came_in_from_elsewhere(last)
        # Every log has the networks that are forgotten in time.
        tables = {**append_only.TRAIL, **{log.table: "network" for log in logs.LOGS}}
        if weak := append_only.weakened(connection, tables):
            raise TrailAltered(f"the trigger {weak[0]} is gone, switched off or another one")

    def _batches_of(self, until: int, most: int) -> list[SealBatch]:
        """As many batches as hold `most` rows, at least one."""
        found: list[SealBatch] = []
        rest = SealBatch.objects.filter(number__gt=self.number, number__lte=until)
        for batch in rest.order_by("number")[:CHUNK]:
            found.append(batch)
            if batch.size - self.done.tree.size >= most:
                break
        return found

    def _read(
        self, lo: int, hi: int, ends: dict[int, SealBatch], heads: dict[int, list[Claim]]
    ) -> None:
        """The leaves of one chunk, their rows, and the nodes and roots that they lead to."""
        leaves = list(SealedRow.objects.filter(index__gte=lo, index__lt=hi).order_by("index"))
        rows = self._rows(leaves)
        nodes: dict[int, bytes] = {}
        place = lo
        for leaf in leaves:
            if leaf.index != place:
                raise TrailAltered(f"leaf {place} is missing, and with it the seal of a row")
            self._row_is_as_sealed(leaf, rows.get((leaf.log, leaf.row_id)))
            for (level, index), root in self.done.tree.append(bytes(leaf.hash)):
                if level % STRIDE == 0:
                    nodes[SealedNode.key(level, index)] = root
            place += 1
            self.done.rows += 1
            self._roots_are_as_sealed(ends.get(place), heads.get(place, []))
        if place != hi:
            raise TrailAltered(f"leaf {place} is missing, and with it the seal of a row")
        _compare_nodes(nodes)

    def _rows(self, leaves: list[SealedRow]) -> dict[tuple[int, int], bytes]:
        """The canonical form of each leaf's row, where the row is there."""
        found = {}
        for number in {leaf.log for leaf in leaves}:
            log = self._logs.get(number)
            if log is None:
                raise TrailAltered(f"a leaf names log {number}, which there is not")
            ids = [leaf.row_id for leaf in leaves if leaf.log == number]
            for row in log.rows.filter(pk__in=ids).values_list(*log.fields):
                found[number, row[0]] = log.leaf(row)
        return found

    def _row_is_as_sealed(self, leaf: SealedRow, form: bytes | None) -> None:
        if form is None:
            raise TrailAltered(f"{self._said(leaf)} was removed")
        found = leaf_hash(form)
        if found == bytes(leaf.hash):
            return
        other = SealedRow.objects.filter(hash=found).first()
        if other is not None:
            raise TrailAltered(f"{self._said(leaf)} was moved: it was sealed as leaf {other.index}")
        raise TrailAltered(f"{self._said(leaf)} was altered after it was sealed")

    def _roots_are_as_sealed(self, batch: SealBatch | None, claims: list[Claim]) -> None:
        tree = self.done.tree
        for claim in claims:
            if claim.root != tree.root:
                raise TrailAltered(f"{claim.said} has another root than the rows lead to")
            self.done.heads += 1
        if batch is None:
            return
        if bytes(batch.root) != tree.root or bytes(batch.edge) != tree.edge:
            raise TrailAltered(f"{_said(batch)} has another root than its rows lead to")
        self.done.batches += 1

    def _nothing_came_in_from_elsewhere(self, last: SealBatch) -> None:
        for log in self._logs.values():
            stray = waiting.behind(last, log).order_by("pk").first()
            if stray is not None:
                raise TrailAltered(
                    f"{log.name} {stray.pk} was inserted out of band: "
                    "it stands where all rows are sealed, and has no seal"
                )

    def _heads(self, start: int, size: int) -> dict[int, list[Claim]]:
        """What heads and copies of heads say of the sizes after `start` up to `size`."""
        found: dict[int, list[Claim]] = {}
        for head in SignedHead.objects.filter(size__gt=start, size__lte=size).order_by("pk"):
            found.setdefault(head.size, []).append(_claim_of(head))
        for copy in self._copies:
            if start < copy.size <= size:
                said = f"the copy of a head over {copy.size} rows"
                found.setdefault(copy.size, []).append(Claim(copy.root, said))
        return found

    def _said(self, leaf: SealedRow) -> str:
        log: Log | None = self._logs.get(leaf.log)
        return f"{log.name if log else leaf.log} {leaf.row_id} (leaf {leaf.index})"


def _in_order(batches: list[SealBatch], number: int) -> list[SealBatch]:
    for batch in batches:
        number += 1
        if batch.number != number:
            raise TrailAltered(f"batch {number} is missing")
    return batches


def _claim_of(head: SignedHead) -> Claim:
    """Raises TrailAltered for a head whose note is not signed or says something else."""
    said = f"the head signed over {head.size} rows"
    try:
        note = notes.read(head.note)
        note.verify(Verifier.read(head.vkey))
    except NoteRefused as error:
        raise TrailAltered(f"{said} was altered: {error}") from error
    if (note.size, note.root) != (head.size, bytes(head.root)):
        raise TrailAltered(f"{said} was altered: its note is about {note.size} rows")
    return Claim(note.root, said)


def _compare_nodes(nodes: dict[int, bytes]) -> None:
    kept: dict[int, Any] = SealedNode.objects.in_bulk(list(nodes))
    for key, root in nodes.items():
        if key not in kept or bytes(kept[key].hash) != root:
            raise TrailAltered(f"node {key} of the tree is not what its leaves lead to")


def _said(batch: SealBatch) -> str:
    return f"batch {batch.number} (leaves {batch.start} to {batch.size - 1})"
