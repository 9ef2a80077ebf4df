"""Database triggers that make tables append-only.

A table may have one column that an update may blank if nothing else changes
(docs/decisions/0006). PostgreSQL also refuses TRUNCATE, except of an empty table, because
`flush` truncates all tables of a new database before data is loaded.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

#: table -> the column that may be blanked, or None.
Tables = Mapping[str, str | None]

TRAIL: Tables = {
    "accounts_auditevent": "network",
    "accounts_sealedrow": None,
    "accounts_sealednode": None,
    "accounts_sealbatch": None,
    "accounts_signedhead": None,
}

#: PostgreSQL trigger function -> its body.
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
#: Event -> `pg_trigger.tgtype` of its BEFORE trigger.
_TYPES = {"UPDATE": 19, "DELETE": 11, "TRUNCATE": 34}


def protect(connection: BaseDatabaseWrapper, tables: Tables) -> None:
    """Create the triggers of these tables, replacing existing ones."""
    unprotect(connection, tables)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for name, body in _BODIES.items():
                cursor.execute(
                    f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
                    f" AS $${body}$$"
                )
        for table, blankable in tables.items():
            for statement in _statements(connection, table, blankable).values():
                cursor.execute(statement)


def unprotect(connection: BaseDatabaseWrapper, tables: Iterable[str]) -> None:
    """Drop the triggers of these tables if they exist."""
    with connection.cursor() as cursor:
        for table in tables:
            on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
            for name in trigger_names(connection, table):
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on_table}")


def trigger_names(connection: BaseDatabaseWrapper, table: str) -> list[str]:
    """Return a protected table's triggers, in the order update, delete, truncate or replace."""
    last = "truncate" if connection.vendor == "postgresql" else "replace"
    return [f"{table}_keeps_{change}" for change in ("update", "delete", last)]


def altered_triggers(connection: BaseDatabaseWrapper, tables: Tables) -> list[str]:
    """Return triggers of these tables that are missing, disabled or altered."""
    installed = _installed(connection)
    altered: list[str] = []
    for table, blankable in tables.items():
        expected: dict[str, object]
        if connection.vendor == "postgresql":
            expected = {
                name: (table, _TYPES[event], _BODIES[function])
                for name, event, function in _triggers(connection, table, blankable)
            }
        else:
            expected = {**_statements(connection, table, blankable)}
        altered += [name for name, trigger in expected.items() if installed.get(name) != trigger]
    return altered


def _installed(connection: BaseDatabaseWrapper) -> dict[str, object]:
    """Return enabled triggers by name, from the database's catalogue.

    Each is (table, tgtype, function body) on PostgreSQL, and the CREATE statement on SQLite.
    """
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            return dict(cursor.fetchall())
        cursor.execute(
            "SELECT tgname, relname, tgtype, prosrc FROM pg_trigger"
            " JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace"
            " JOIN pg_proc p ON p.oid = tgfoid JOIN pg_language l ON l.oid = prolang"
            " WHERE nspname = ANY (current_schemas(false)) AND tgenabled IN ('O', 'A')"
            # A partitioned table's triggers are copied to its partitions.
            " AND tgparentid = 0"
            " AND tgqual IS NULL AND tgattr = '' AND lanname = 'plpgsql'"
        )
        return {name: tuple(definition) for name, *definition in cursor.fetchall()}


def after_migrate(app: str, migration: str, tables: Tables) -> Any:
    """Return a receiver of post_migrate that restores missing triggers on SQLite.

    SQLite alters a column by copying its table, which loses the triggers. They are restored only
    if `migration`, which first created them, is applied.
    """

    def restore(sender: Any, using: str, **kwargs: Any) -> None:
        connection = connections[using]
        if connection.vendor != "sqlite" or not altered_triggers(connection, tables):
            return
        if (app, migration) in MigrationRecorder(connection).applied_migrations():
            protect(connection, tables)

    return restore


def add_transaction_column(connection: BaseDatabaseWrapper, table: str) -> None:
    """Add `written_in`, the id of the transaction that wrote a row, for the sealer's horizon.

    A database default fills the column, which is not part of the model. SQLite has one writer
    at a time, so its ids are in commit order and it does not need the column.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"ALTER TABLE {table} ADD COLUMN written_in bigint NOT NULL"
            " DEFAULT (pg_current_xact_id()::text::bigint)"
        )
        cursor.execute(f"CREATE INDEX {table}_by_transaction ON {table} (written_in)")


def drop_transaction_column(connection: BaseDatabaseWrapper, table: str) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} DROP COLUMN written_in")


def _triggers(
    connection: BaseDatabaseWrapper, table: str, blankable: str | None
) -> list[tuple[str, str, str]]:
    """Return the name, event and function of each trigger on PostgreSQL."""
    update, delete, truncate = trigger_names(connection, table)
    on_update = "weighbridge_only_forget" if blankable else "weighbridge_refuse"
    return [
        (update, "UPDATE", on_update),
        (delete, "DELETE", "weighbridge_refuse"),
        (truncate, "TRUNCATE", "weighbridge_refuse_truncate"),
    ]


def _statements(
    connection: BaseDatabaseWrapper, table: str, blankable: str | None
) -> dict[str, str]:
    """Return trigger name -> its CREATE statement."""
    if connection.vendor == "postgresql":
        return {
            name: f"CREATE TRIGGER {name} BEFORE {event} ON {table}"
            f" FOR EACH {'STATEMENT' if event == 'TRUNCATE' else 'ROW'}"
            f" EXECUTE FUNCTION {function}()"
            for name, event, function in _triggers(connection, table, blankable)
        }
    update, delete, replace = trigger_names(connection, table)
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    columns = _columns(connection, table)
    unless = f"WHEN NOT ({_only_blanks(columns, blankable)}) " if blankable else ""
    # REPLACE deletes rows without firing DELETE triggers, so refuse to insert an existing key.
    key = next(iter(columns), "")
    same_key = f'FROM {table} WHERE "{key}" = NEW."{key}"'
    exists = f"WHEN EXISTS (SELECT 1 {same_key}) "
    return {
        update: f"CREATE TRIGGER {update} BEFORE UPDATE ON {table} {unless}{refuse}",
        delete: f"CREATE TRIGGER {delete} BEFORE DELETE ON {table} {refuse}",
        replace: f"CREATE TRIGGER {replace} BEFORE INSERT ON {table} {exists}{refuse}",
    }


def _only_blanks(columns: list[str], blankable: str) -> str:
    """Return the SQL condition for an update that blanks one column and changes no other."""
    same = " AND ".join(f'NEW."{name}" IS OLD."{name}"' for name in columns if name != blankable)
    return f"NEW.{blankable} = '' AND OLD.{blankable} <> '' AND {same}"


def _columns(connection: BaseDatabaseWrapper, table: str) -> list[str]:
    """Return a table's columns on SQLite, primary key first; empty if there is no such table."""
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA table_info({table})")
        rows = cursor.fetchall()
    return [row[1] for row in sorted(rows, key=lambda row: not row[5])]
