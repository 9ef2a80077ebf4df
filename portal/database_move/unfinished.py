"""A table in the target of a move that has not ended: the portal does not start on it.

The next `move_database` to it starts over.
"""

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

TABLE = "weighbridge_unfinished_move"
WHY_NOT = (
    "this database is the target of a move that has not ended well; run move_database to it again"
    " with the old DATABASE_URL, or put the old DATABASE_URL back"
)


def is_marked(database: BaseDatabaseWrapper = connection) -> bool:
    """Whether `database` has the table; never for SQLite, whose file is renamed at the end."""
    if database.vendor == "sqlite":
        return False
    with database.cursor() as cursor:
        return TABLE in database.introspection.table_names(cursor)


def mark(database: BaseDatabaseWrapper) -> None:
    with database.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {TABLE} (started_at varchar(40) NOT NULL)")


def unmark(database: BaseDatabaseWrapper) -> None:
    with database.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
