"""Empty the database after a transactional test, except for the rows of migrations.

Django would truncate every table, for which PostgreSQL creates new files for all tables and
indexes, and then recreate content types, permissions and groups. But few tables have rows.
"""

from typing import Any

from django.core.management.color import no_style
from django.core.management.sql import emit_post_migrate_signal, sql_flush
from django.db import connection

from tests.support.database import trail

#: Tables that migrations fill, and that receivers of post_migrate refill.
SEEDED = ("django_content_type", "auth_permission", "auth_group", "auth_group_permissions")

#: The rows of those tables with which each test starts.
_seeds: list[Any] = []


def remember_seeds() -> None:
    """Store the seeded rows with which each test starts."""
    _seeds[:] = _rows_of_seeded()


def empty_the_database() -> None:
    """Delete all rows except the seeds; flush like Django if a test changed those."""
    changed = _rows_of_seeded() != _seeds
    with trail.unguarded(), connection.cursor() as cursor:
        if changed:
            connection.ops.execute_sql_flush(sql_flush(no_style(), connection))
        else:
            for table in _filled():
                cursor.execute(f"DELETE FROM {table}")
    if changed:
        emit_post_migrate_signal(verbosity=0, interactive=False, db=connection.alias)
        remember_seeds()


def _filled() -> list[str]:
    """The tables with rows, except the seeded ones."""
    tables = set(connection.introspection.django_table_names(only_existing=True)) - {*SEEDED}
    probes = [f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in tables]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(probes))
        return [table for (table,) in cursor.fetchall()]


def _rows_of_seeded() -> list[Any]:
    with connection.cursor() as cursor:
        rows = []
        for table in SEEDED:
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")
            rows.append(cursor.fetchall())
        return rows
