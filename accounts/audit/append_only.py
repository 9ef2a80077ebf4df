"""Triggers by which the database itself refuses to change or delete rows of the trail.

On a table with a column that may be forgotten, an update is let through when it blanks that
column and changes nothing else (docs/decisions/0006). PostgreSQL refuses TRUNCATE too, unless
the table is empty, which `flush` does to a database that is about to be filled.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

#: table -> the column that may be blanked, or none.
Tables = Mapping[str, str | None]

TRAIL: Tables = {
    "accounts_auditevent": "network",
    "accounts_sealedrow": None,
    "accounts_sealednode": None,
    "accounts_sealbatch": None,
    "accounts_signedhead": None,
}

#: name -> body of the functions by which PostgreSQL refuses.
_BODIES = {
    "weighbridge_refuse": """
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, lower(TG_OP)
        USING ERRCODE = 'restrict_violation';
END """,
    "weighbridge_only_forget": """
BEGIN
    IF NEW.network = '' AND OLD.network <> '' THEN
        OLD.network := '';
        IF NEW *= OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: only network may be blanked', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END """,
    "weighbridge_refuse_truncate": """
DECLARE filled boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I.%I)', TG_TABLE_SCHEMA, TG_TABLE_NAME)
        INTO filled;
    IF filled THEN
        RAISE EXCEPTION '% is append-only: truncate is refused', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END """,
}
#: What PostgreSQL's catalogue has as the type of a trigger that comes before each of these.
_TYPES = {"UPDATE": 19, "DELETE": 11, "TRUNCATE": 34}


def protect(connection: BaseDatabaseWrapper, tables: Tables) -> None:
    """Make the triggers of these tables; again, it makes them anew."""
    unprotect(connection, tables)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for name, body in _BODIES.items():
                cursor.execute(
                    f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
                    f" AS $${body}$$"
                )
        for table, forgotten in tables.items():
            for statement in _triggers(connection, table, forgotten):
                cursor.execute(statement)


def unprotect(connection: BaseDatabaseWrapper, tables: Iterable[str]) -> None:
    """Drop the triggers of these tables, where there are any."""
    on_table = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        for table in tables:
            for name in names(connection, table):
                where = f" ON {table}" if on_table else ""
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}{where}")


def names(connection: BaseDatabaseWrapper, table: str) -> list[str]:
    """The triggers that a protected table has."""
    last = "truncate" if connection.vendor == "postgresql" else "replace"
    return [f"{table}_keeps_{change}" for change in ("update", "delete", last)]


def weakened(connection: BaseDatabaseWrapper, tables: Tables) -> list[str]:
    """Triggers of these tables that are gone, switched off, or not as `protect` makes them."""
    there = _there(connection)
    found: list[str] = []
    for table, forgotten in tables.items():
        if connection.vendor == "postgresql":
            wanted: dict[str, object] = {
                name: (table, _TYPES[event], _BODIES[function])
                for name, event, function in _refusals(connection, table, forgotten)
            }
        else:
            made = _triggers(connection, table, forgotten)
            wanted = dict(zip(names(connection, table), made, strict=True))
        found += [name for name, trigger in wanted.items() if there.get(name) != trigger]
    return found


def _there(connection: BaseDatabaseWrapper) -> dict[str, object]:
    """What the database's own catalogue says of its triggers, by their names."""
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            return dict(cursor.fetchall())
        cursor.execute(
            "SELECT tgname, relname, tgtype, prosrc FROM pg_trigger"
            " JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace"
            " JOIN pg_proc p ON p.oid = tgfoid JOIN pg_language l ON l.oid = prolang"
            " WHERE nspname = ANY (current_schemas(false)) AND tgenabled IN ('O', 'A')"
            " AND tgqual IS NULL AND tgattr = '' AND lanname = 'plpgsql'"
        )
        return {name: rest for name, *columns in cursor.fetchall() for rest in [tuple(columns)]}


def after_migrate(app: str, migration: str, tables: Tables) -> Any:
    """A receiver of post_migrate that makes the triggers of `tables` where they are not as made.

    SQLite changes a column by making the table anew, which loses its triggers. Nothing is made
    where the app was taken back to before `migration`, which first made them.
    """

    def restore(sender: Any, using: str, **kwargs: Any) -> None:
        connection = connections[using]
        if connection.vendor != "sqlite" or not weakened(connection, tables):
            return
        if (app, migration) in MigrationRecorder(connection).applied_migrations():
            protect(connection, tables)

    return restore


def note_transactions(connection: BaseDatabaseWrapper, table: str) -> None:
    """Let each row say which transaction wrote it, for the sealer's horizon.

    The column is the database's alone: no statement of ours names it, so a default fills it.
    SQLite has one writer at a time and needs none: there, ids are the order of commits.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"ALTER TABLE {table} ADD COLUMN written_in bigint NOT NULL"
            " DEFAULT (pg_current_xact_id()::text::bigint)"
        )
        cursor.execute(f"CREATE INDEX {table}_by_transaction ON {table} (written_in)")


def forget_transactions(connection: BaseDatabaseWrapper, table: str) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} DROP COLUMN written_in")


def _refusals(
    connection: BaseDatabaseWrapper, table: str, forgotten: str | None
) -> list[tuple[str, str, str]]:
    """On PostgreSQL: each trigger's name, what it comes before, and its function."""
    update, delete, truncate = names(connection, table)
    on_update = "weighbridge_only_forget" if forgotten else "weighbridge_refuse"
    return [
        (update, "UPDATE", on_update),
        (delete, "DELETE", "weighbridge_refuse"),
        (truncate, "TRUNCATE", "weighbridge_refuse_truncate"),
    ]


def _triggers(connection: BaseDatabaseWrapper, table: str, forgotten: str | None) -> list[str]:
    update, delete, last = names(connection, table)
    if connection.vendor == "postgresql":
        return [
            f"CREATE TRIGGER {name} BEFORE {event} ON {table}"
            f" FOR EACH {'STATEMENT' if event == 'TRUNCATE' else 'ROW'}"
            f" EXECUTE FUNCTION {function}()"
            for name, event, function in _refusals(connection, table, forgotten)
        ]
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    unless = f"WHEN NOT ({_only_forgets(connection, table, forgotten)}) " if forgotten else ""
    # REPLACE deletes without asking triggers of DELETE, so what would be replaced is looked for.
    key = next(iter(_columns(connection, table)), "")
    there = f'FROM {table} WHERE "{key}" = NEW."{key}"'
    found = f"WHEN EXISTS (SELECT 1 {there}) "
    return [
        f"CREATE TRIGGER {update} BEFORE UPDATE ON {table} {unless}{refuse}",
        f"CREATE TRIGGER {delete} BEFORE DELETE ON {table} {refuse}",
        f"CREATE TRIGGER {last} BEFORE INSERT ON {table} {found}{refuse}",
    ]


def _only_forgets(connection: BaseDatabaseWrapper, table: str, forgotten: str) -> str:
    kept = [name for name in _columns(connection, table) if name != forgotten]
    same = " AND ".join(f'NEW."{name}" IS OLD."{name}"' for name in kept)
    return f"NEW.{forgotten} = '' AND OLD.{forgotten} <> '' AND {same}"


def _columns(connection: BaseDatabaseWrapper, table: str) -> list[str]:
    """A table's columns on SQLite, the key first; none where there is no such table."""
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA table_info({table})")
        rows = cursor.fetchall()
    return [row[1] for row in sorted(rows, key=lambda row: not row[5])]
