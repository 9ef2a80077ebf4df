# ruff: noqa: S608 - all names are our own
"""Drop indexes while rows are copied, and continue sequences after them."""

from collections.abc import Iterable
from typing import Any


def drop(cursor: Any, tables: Iterable[str]) -> list[str]:
    """Drop the tables' secondary indexes; return the statements that recreate them."""
    statements = []
    for table in tables:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = %s::regclass AND contype = 'u'",
            [table],
        )
        constraints = dict(cursor.fetchall())
        cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", [table])
        for name, definition in cursor.fetchall():
            if name in constraints:
                cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
                statements.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {constraints[name]}")
            elif not name.endswith("_pkey"):
                cursor.execute(f"DROP INDEX {name}")
                statements.append(definition)
    return statements


def restart_sequences(cursor: Any) -> None:
    """Let new rows get ids after the copied ones."""
    cursor.execute(
        "SELECT c.relname, pg_get_serial_sequence(quote_ident(c.relname), 'id')"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id'"
        " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    )
    for table, sequence in cursor.fetchall():
        if sequence:
            cursor.execute(f"SELECT setval('{sequence}', (SELECT max(id) FROM {table}) + 1)")
