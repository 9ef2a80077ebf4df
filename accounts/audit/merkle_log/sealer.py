"""Appends unsealed rows to the tree. Writers and the sealer never block each other."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from accounts.audit.merkle_log import unsealed
from accounts.audit.merkle_log.merkle import Frontier, leaf_hash
from accounts.audit.models import SealBatch, SealedNode, SealedRow
from accounts.background.models import Heartbeat
from accounts.background.periodic import describe

log = logging.getLogger(__name__)

#: Maximum rows of each log per batch; writing their leaves takes a few hundredths of a second.
BATCH_SIZE = 2000
#: Seconds between two batches; rows are sealed within one second (docs/requirements.md, AU-3).
PAUSE = 0.5
#: Seconds until the next attempt after any error but a database error.
PAUSE_AFTER_ERROR = 10
#: Key of the advisory lock; no other advisory lock may use it.
_LOCK = 7_262_025

Leaf = tuple[int, int, int, bytes]


def seal() -> int:
    """Seal every row that may be sealed now. Returns how many."""
    sealed = 0
    while True:
        count, more = seal_batch()
        sealed += count
        if not more:
            return sealed


def seal_batch(limit: int = BATCH_SIZE) -> tuple[int, bool]:
    """Seal at most `limit` rows of each log in one transaction.

    Returns the number sealed, and whether more rows may be sealed. Concurrent sealers never seal
    a row twice: batch numbers are unique, so the second transaction fails and writes nothing.
    """
    with _lock() as acquired:
        if not acquired:
            return 0, False
        last = SealBatch.objects.order_by("number").last()
        batch = unsealed.take(last, limit)
        if not batch.rows:
            return 0, False
        try:
            _append(last, batch)
        except IntegrityError:
            log.info("another sealer was first")
            return 0, False
        return len(batch.rows), batch.more


@contextmanager
def _lock() -> Iterator[bool]:
    """Keep a second sealer from repeating the work; writers do not take this lock.

    On SQLite a lock would also block writers, so rows are read and hashed without one.
    """
    if connection.vendor != "postgresql":
        yield True
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        yield cursor.fetchone()[0]


def _append(last: SealBatch | None, batch: unsealed.Unsealed) -> None:
    tree = Frontier(last.size, bytes(last.edge)) if last else Frontier()
    leaves: list[Leaf] = []
    nodes: dict[int, bytes] = {}
    start = tree.size
    for source, row in batch.rows:
        leaf = leaf_hash(source.leaf_input(row))
        leaves.append((tree.size, source.number, row[0], leaf))
        nodes.update(SealedNode.stored(tree.append(leaf)))
    with transaction.atomic():
        SealBatch.objects.create(
            number=last.number + 1 if last else 1,
            sealed_at=timezone.now(),
            start=start,
            size=tree.size,
            root=tree.root,
            edge=tree.edge,
            horizon=batch.horizon,
            origin=batch.origin,
        )
        _write(leaves)
        SealedNode.objects.bulk_create(SealedNode(id=key, hash=root) for key, root in nodes.items())


def _write(leaves: list[Leaf]) -> None:
    """Insert leaves without model instances, which would cost more than hashing the rows."""
    columns = f'{SealedRow._meta.db_table} ("index", log, row_id, hash)'
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {columns} FROM STDIN") as copy:
                for leaf in leaves:
                    copy.write_row(leaf)
        else:
            cursor.executemany(f"INSERT INTO {columns} VALUES (%s, %s, %s, %s)", leaves)  # noqa: S608


class Sealer(threading.Thread):
    """A daemon thread that seals as long as its process runs."""

    def __init__(self, pause: float = PAUSE) -> None:
        super().__init__(name="sealer", daemon=True)
        self._pause = pause
        self._stopped = threading.Event()
        # True at first, so that the first success clears an error of a previous worker.
        self._is_failing = True

    def run(self) -> None:
        while not self._stopped.wait(self._pause):
            try:
                self._seal()
            except DatabaseError as error:
                log.warning("sealing waits for the database: %s", error)
                connection.close()
            except Exception:
                # The thread must survive, or no row would be sealed until a restart.
                log.exception("sealing failed; retrying in %d seconds", PAUSE_AFTER_ERROR)
                connection.close()
                self._stopped.wait(PAUSE_AFTER_ERROR)
        connection.close()

    def _seal(self) -> None:
        """Seal rows, and report failure or recovery to the health page."""
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
        """Stop after the current batch; wait for it at most five seconds."""
        self._stopped.set()
        self.join(timeout=5)
