"""Bypass the triggers of the audit trail, which only the owner of the database can do.

The suite does so to empty its database, and in tests of tampering by an intruder with full rights.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from accounts.audit import append_only
from accounts.audit.merkle_log.sealed_tables import LOGS
from tests.support.servers.services import wait_until


@contextmanager
def unguarded() -> Iterator[None]:
    """Disable the trail's triggers, and re-enable them at the end."""
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
        cursor.execute("SELECT name, sql, tbl_name FROM sqlite_master WHERE type = 'trigger'")
        triggers = [(name, sql) for name, sql, table in cursor.fetchall() if table in tables]
        for name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
        yield
        for _, made_by in triggers:
            cursor.execute(made_by)


def await_older_transactions_elsewhere() -> None:
    """Wait until no transaction older than this test's rows runs in another database.

    The suite's processes share a server, whose transaction horizon covers all databases. A test
    within a transaction waits only for older ones, so no two tests wait for each other.
    """
    if connection.vendor == "postgresql":
        newest = _query_value(_NEWEST)
        wait_until(lambda: not _older(newest), "the end of older transactions")


_NEWEST = """
SELECT coalesce(pg_current_xact_id_if_assigned(), pg_snapshot_xmax(pg_current_snapshot()))::text
"""
_OLDER = """
SELECT count(*) FROM pg_stat_activity
WHERE datname <> current_database() AND backend_xid::text::bigint < %s::bigint
"""


def _older(newest: str) -> int:
    _query_value("SELECT pg_stat_clear_snapshot()")  # the view is cached within a transaction
    return int(_query_value(_OLDER, newest))


def _query_value(statement: str, *values: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0]
