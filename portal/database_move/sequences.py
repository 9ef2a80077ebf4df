"""Sequences of primary keys: no id that a deleted row once had is given out again.

Trail and ledger name people and files by id, so a reset to the highest id that is left, as
`sqlsequencereset` does, could ascribe an erased person's downloads to the next one.
"""

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from portal.database_move import rows


def carry_over(model: type[models.Model], source: str, target: str) -> None:
    """Let the target go on behind the last id that the source gave."""
    if model._meta.auto_field is None:
        return
    table, column = model._meta.db_table, str(model._meta.auto_field.column)
    highest = rows.of(model, source).aggregate(most=models.Max("pk"))["most"] or 0
    last = max(highest, _last(connections[source], table, column))
    if last:
        _set(connections[target], table, column, last)


def _last(connection: BaseDatabaseWrapper, table: str, column: str) -> int:
    """The last id that was given; 0 if none was."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            name = connection.ops.quote_name(table)
            cursor.execute(
                "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, %s)::regclass)",
                [name, column],
            )
        else:
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        row = cursor.fetchone()
    return int(row[0] or 0) if row else 0


def _set(connection: BaseDatabaseWrapper, table: str, column: str, last: int) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            name = connection.ops.quote_name(table)
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(%s, %s), %s)", [name, column, last]
            )
            return
        cursor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = %s", [last, table])
        if not cursor.rowcount:
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, last])
