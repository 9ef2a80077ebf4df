"""What the database of the settings holds: a backup is restored into an empty one alone.

Empty are also tables that `migrate` has made, with the catalogue that a new version loads, and
what processes write by themselves that were started before anybody came.
"""

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from portal.backup import restore_marker
from portal.errors import BackupError

#: Events that nobody causes.
_BY_ITSELF = (
    *("tier.made", "catalogue.loaded", "settings.changed", "manifest_key.introduced"),
    *("audit.head_signed", "store.surveyed"),
)
#: What stands in a table of an install that somebody used, and what it is called.
_USED = {
    "accounts_user": ("accounts", ""),
    "accounts_application": ("applications", ""),
    "weights_revision": ("revisions", ""),
    "weights_download": ("rows of the ledger", ""),
    "accounts_auditevent": (
        "events of the trail",
        f" WHERE actor_id IS NOT NULL OR action NOT IN {_BY_ITSELF}",
    ),
}


def contents(database: BaseDatabaseWrapper = connection) -> str:
    """What is in use, in words; empty if nothing is."""
    there = set(tables(database))
    found = []
    with database.cursor() as cursor:
        for table, (name, condition) in _USED.items():
            if table in there:
                cursor.execute(f"SELECT count(*) FROM {table}{condition}")  # noqa: S608
                if count := cursor.fetchone()[0]:
                    found.append(f"{count} {name}")
    return ", ".join(found)


def demand_ours(database: BaseDatabaseWrapper = connection) -> None:
    """Refuse a database in which something else keeps tables. Raises BackupError."""
    ours = set(database.introspection.django_table_names(include_views=False))
    ours |= {MigrationRecorder.Migration._meta.db_table, restore_marker.TABLE}
    if others := sorted(set(tables(database)) - ours):
        raise BackupError(
            f"the database holds tables that are not this portal's ({', '.join(others[:3])});"
            " name an empty database of its own"
        )


def tables(database: BaseDatabaseWrapper = connection) -> list[str]:
    with database.cursor() as cursor:
        return database.introspection.table_names(cursor)
