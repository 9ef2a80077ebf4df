"""A table in a restored database that says which backup it is of, and how far the restoring got.

It makes the same restore again go on instead of being refused. No backup takes it along.
"""

from dataclasses import dataclass

from django.db import connection, transaction

TABLE = "weighbridge_restored"
CREATE = (
    f"CREATE TABLE {TABLE} (backup varchar(64) NOT NULL, taken_at varchar(40) NOT NULL,"
    " whole integer NOT NULL, recorded integer NOT NULL)"
)


@dataclass(frozen=True)
class Mark:
    """`backup` is its identity; `whole` once the database is all there."""

    backup: str
    taken_at: str
    whole: bool = False


def found() -> Mark | None:
    """The mark of the database of the settings."""
    with connection.cursor() as cursor:
        if TABLE not in connection.introspection.table_names(cursor):
            return None
        cursor.execute(f"SELECT backup, taken_at, whole FROM {TABLE}")  # noqa: S608
        row = cursor.fetchone()
    return Mark(row[0], row[1], bool(row[2])) if row else None


def insertion(mark: Mark) -> tuple[str, tuple[str, str, int]]:
    """The statement that leaves it, with question marks, and its values."""
    values = (mark.backup, mark.taken_at, int(mark.whole))
    return f"INSERT INTO {TABLE} VALUES (?, ?, ?, 0)", values  # noqa: S608


@transaction.atomic
def leave(mark: Mark) -> None:
    """In the place of any other."""
    statement, values = insertion(mark)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
        cursor.execute(CREATE)
        cursor.execute(statement.replace("?", "%s"), values)


def note_whole() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {TABLE} SET whole = 1")  # noqa: S608


def claim_record() -> bool:
    """True once in the life of a mark, for what is to be recorded in the same transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {TABLE} SET recorded = 1 WHERE recorded = 0")  # noqa: S608
        return bool(cursor.rowcount == 1)
