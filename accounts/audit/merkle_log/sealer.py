"""Append what waits to the tree. Writers never wait for it, and it never waits for them."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from accounts.audit.merkle_log import waiting
from accounts.audit.merkle_log.merkle import Frontier, leaf_hash
from accounts.audit.models import SealBatch, SealedNode, SealedRow
from accounts.audit.models.seals import STRIDE
from accounts.background.models import Heartbeat
from accounts.background.periodic import describe

log = logging.getLogger(__name__)

#: Rows of one batch at most; their seals are written in a few hundredths of a second.
BATCH_MOST = 2000
#: Seconds between two looks; seals come within one (docs/requirements.md, AU-3).
PAUSE = 0.5
#: Seconds after a fault of our own until the next try.
AFTER_FAULT = 10
#: Any number that no other lock of ours has.
_LOCK = 7_262_025

Leaf = tuple[int, int, int, bytes]


def seal() -> int:
    """Seal all that may be sealed now; the number of rows."""
    sealed = 0
    while True:
        count, more = seal_batch()
        sealed += count
        if not more:
            return sealed


def seal_batch(most: int = BATCH_MOST) -> tuple[int, bool]:
    """Seal at most `most` rows in one transaction: how many, and whether more wait.

    Nothing, when another sealer is at it: the number of a batch is unique, so of two that
    began at the same place one fails and writes nothing.
    """
    with _turn() as mine:
        if not mine:
            return 0, False
        last = SealBatch.objects.order_by("number").last()
        found = waiting.take(last, most)
        if not found.rows:
            return 0, False
        try:
            _append(last, found)
        except IntegrityError:
            log.info("another sealer came first")
            return 0, False
        return len(found.rows), found.more


@contextmanager
def _turn() -> Iterator[bool]:
    """Keep other sealers from doing the same work; no writer asks for this lock.

    On SQLite a lock would be the writers' too, so rows are read and hashed without one.
    """
    if connection.vendor != "postgresql":
        yield True
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        yield cursor.fetchone()[0]


def _append(last: SealBatch | None, found: waiting.Waiting) -> None:
    tree = Frontier(last.size, bytes(last.edge)) if last else Frontier()
    leaves: list[Leaf] = []
    nodes: list[SealedNode] = []
    start = tree.size
    for source, row in found.rows:
        leaf = leaf_hash(source.leaf(row))
        leaves.append((tree.size, source.number, row[0], leaf))
        for (level, index), root in tree.append(leaf):
            if level % STRIDE == 0:
                nodes.append(SealedNode(id=SealedNode.key(level, index), hash=root))
    with transaction.atomic():
        SealBatch.objects.create(
            number=last.number + 1 if last else 1,
            sealed_at=timezone.now(),
            start=start,
            size=tree.size,
            root=tree.root,
            edge=tree.edge,
            horizon=found.horizon,
            origin=found.origin,
        )
        _write(leaves)
        SealedNode.objects.bulk_create(nodes)


def _write(leaves: list[Leaf]) -> None:
    """Without a record for each: it would cost more than hashing it did."""
    table = SealedRow._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f'COPY {table} ("index", log, row_id, hash) FROM STDIN') as copy:
                for leaf in leaves:
                    copy.write_row(leaf)
        else:
            columns = f'{table} ("index", log, row_id, hash)'
            cursor.executemany(f"INSERT INTO {columns} VALUES (%s, %s, %s, %s)", leaves)  # noqa: S608


class Sealer(threading.Thread):
    """Seals for as long as its process lives, whatever else the process is busy with."""

    def __init__(self, pause: float = PAUSE) -> None:
        super().__init__(name="sealer", daemon=True)
        self._pause = pause
        self._stopped = threading.Event()
        self._is_failing = True  # until the first success: the last worker may have left a failure

    def run(self) -> None:
        while not self._stopped.wait(self._pause):
            try:
                self._seal()
            except DatabaseError as error:
                log.warning("sealing waits for the database: %s", error)
                connection.close()
            except Exception:
                # Rows wait meanwhile, which the health page shows; without this thread, for ever.
                log.exception("sealing failed, and is tried again in %d seconds", AFTER_FAULT)
                connection.close()
                self._stopped.wait(AFTER_FAULT)
        connection.close()

    def _seal(self) -> None:
        """Seal, and show on the health page whether that fails."""
        try:
            seal()
        except Exception as error:
            self._is_failing = True
            Heartbeat.objects.note("sealing", {}, {"rows sealed": describe(error)})
            raise
        if self._is_failing:
            Heartbeat.objects.note("sealing", {}, {})
            self._is_failing = False

    def stop(self) -> None:
        """Return once the batch under way is written."""
        self._stopped.set()
        self.join(timeout=5)
