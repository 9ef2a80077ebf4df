"""Ways past the triggers of the trail, which only the owner of the database has.

The suite empties its database after each transactional test, and tests of tampering do what
an intruder with all rights would.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.backends.base.operations import BaseDatabaseOperations

from accounts import append_only
from accounts.sealing.logs import LOGS


@contextmanager
def unguarded() -> Iterator[None]:
    """Switch the triggers off, as an owner can, and on again."""
    tables = [*append_only.TRAIL, *(log.table for log in LOGS)]
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            yield
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            return
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
        yield
        for _, made_by in triggers:
            cursor.execute(made_by)


def let_flush_through() -> Callable[[], None]:
    """Make `flush` empty the trail too, in this process alone; the answer undoes it.

    A transactional test ends with a flush. In an install it is refused once there are rows.
    """
    operations = type(connection.ops)
    original = operations.execute_sql_flush

    def flush(self: BaseDatabaseOperations, sql_list: Iterable[str]) -> None:
        with unguarded():
            original(self, sql_list)

    operations.execute_sql_flush = flush  # type: ignore[method-assign]

    def undo() -> None:
        operations.execute_sql_flush = original  # type: ignore[method-assign]

    return undo
