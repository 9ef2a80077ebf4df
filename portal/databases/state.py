"""The state of a database: empty, in use, with foreign tables, or marked by us.

Reads tables by name, because the schema may be that of an older version.
"""

from typing import NamedTuple

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from accounts.audit.event_tags import AccountsEvent
from portal.audit.event_tags import PortalEvent
from portal.errors import BackupError
from weights.catalogue.search import sqlite
from weights.event_tags import WeightsEvent

#: Events that processes record automatically, before anybody uses the install.
_AUTOMATIC = (
    AccountsEvent.TIER_MADE.value,
    AccountsEvent.AUDIT_HEAD_SIGNED.value,
    PortalEvent.SETTINGS_CHANGED.value,
    WeightsEvent.CATALOGUE_LOADED.value,
    WeightsEvent.LOGBOOK_LOADED.value,
    WeightsEvent.MANIFEST_KEY_INTRODUCED.value,
    WeightsEvent.STORE_SURVEYED.value,
)
#: Table -> (name of its rows in messages, condition) of an install in use.
_USED = {
    "accounts_user": ("accounts", ""),
    "accounts_application": ("applications", ""),
    "weights_revision": ("revisions", ""),
    "weights_download": ("rows of the ledger", ""),
    "accounts_auditevent": (
        "events of the trail",
        f" WHERE actor_id IS NOT NULL OR action NOT IN {_AUTOMATIC}",
    ),
}


#: Release 0.1.0 writes to it during an upgrade; no model uses it now.
_OF_0_1_0 = "weights_hashprogress"


def tables(database: BaseDatabaseWrapper = connection) -> list[str]:
    with database.cursor() as cursor:
        return database.introspection.table_names(cursor)


def rows_in_use(database: BaseDatabaseWrapper = connection) -> str:
    """Counts of users' rows, such as `2 accounts, 1 revisions`; empty for an unused install.

    With only migrated tables, the catalogue and automatic events, an install is unused.
    """
    existing = set(tables(database))
    counts = []
    with database.cursor() as cursor:
        for table, (name, condition) in _USED.items():
            if table in existing:
                cursor.execute(f"SELECT count(*) FROM {table}{condition}")  # noqa: S608
                if count := cursor.fetchone()[0]:
                    counts.append(f"{count} {name}")
    return ", ".join(counts)


def refuse_foreign_tables(database: BaseDatabaseWrapper = connection) -> None:
    """Raise BackupError if another program has tables in the database."""
    ours = set(database.introspection.django_table_names(include_views=False))
    ours |= {MigrationRecorder.Migration._meta.db_table, RESTORE_TABLE, *sqlite.TABLES}
    ours.add(_OF_0_1_0)
    if foreign := sorted(set(tables(database)) - ours):
        raise BackupError(
            f"the database holds tables that are not this portal's ({', '.join(foreign[:3])});"
            " use a separate, empty database"
        )


# -- the mark of a restore ------------------------------------------------------------------

#: A table that names the backup that a database was restored from, so that an interrupted restore
#: continues. It has no model: it exists before the backup's tables, and no backup contains it.
RESTORE_TABLE = "weighbridge_restored"
CREATE_RESTORE_TABLE = (
    f"CREATE TABLE {RESTORE_TABLE} (backup varchar(64) NOT NULL, taken_at varchar(40) NOT NULL)"
)
#: Takes a RestoreMark; the placeholders of Python's sqlite3 are `?`.
INSERT_RESTORE_MARK = f"INSERT INTO {RESTORE_TABLE} VALUES (%s, %s)"  # noqa: S608


class RestoreMark(NamedTuple):
    """A backup: the SHA-256 of its index in hexadecimal, and its time in ISO 8601."""

    backup: str
    taken_at: str


def restore_mark() -> RestoreMark | None:
    if RESTORE_TABLE not in tables():
        return None
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT backup, taken_at FROM {RESTORE_TABLE}")  # noqa: S608
        row = cursor.fetchone()
    return RestoreMark(*row) if row else None


@transaction.atomic
def write_restore_mark(mark: RestoreMark) -> None:
    """Write the mark, replacing any other."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {RESTORE_TABLE}")
        cursor.execute(CREATE_RESTORE_TABLE)
        cursor.execute(INSERT_RESTORE_MARK, mark)


# -- the mark of an unfinished move ---------------------------------------------------------

#: A table in the target of an unfinished `move_database`: the portal does not start on it.
_MOVE_TABLE = "weighbridge_unfinished_move"
UNFINISHED_MOVE = (
    "this database is the target of an unfinished move; run move_database to it again with the old"
    " DATABASE_URL, or restore the old DATABASE_URL"
)


def is_unfinished_move(database: BaseDatabaseWrapper = connection) -> bool:
    """True if a move into `database` did not finish; never for SQLite, renamed at the end."""
    return database.vendor != "sqlite" and _MOVE_TABLE in tables(database)


def mark_unfinished_move(database: BaseDatabaseWrapper) -> None:
    with database.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {_MOVE_TABLE} (started_at varchar(40) NOT NULL)")


def clear_unfinished_move(database: BaseDatabaseWrapper) -> None:
    with database.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {_MOVE_TABLE}")
