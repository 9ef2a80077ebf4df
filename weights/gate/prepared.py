"""One row by a statement that the database plans once a connection, where it can keep a plan.

Planning the gate's statement takes PostgreSQL several times as long as running it, and what
Django does around a statement takes as long as SQLite takes to run it. Nothing else is asked
in this way: the ORM's SQL has its values written into it, so that no two are alike.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper


def row(sql: str, bound: Sequence[Any]) -> tuple[Any, ...]:
    """The first row that `sql` finds in the default database, `%s` standing for what is bound."""
    connection = connections[DEFAULT_DB_ALIAS]
    connection.ensure_connection()
    if connection.queries_logged:
        return _logged(connection, sql, bound)
    with connection.wrap_database_errors:
        if connection.vendor == "sqlite":
            found = connection.connection.execute(_in_sqlites_words(sql), bound).fetchone()
        else:
            with _cursor(connection.connection) as cursor:
                found = cursor.execute(sql, bound).fetchone()
    return tuple(found)


def _logged(connection: BaseDatabaseWrapper, sql: str, bound: Sequence[Any]) -> tuple[Any, ...]:
    """The same where statements are counted or shown: in tests, and while debugging."""
    if connection.vendor == "sqlite":
        cursor = connection.cursor()
    else:
        own = _cursor(connection.connection)
        cursor = connection.make_debug_cursor(own)
    with cursor:
        cursor.execute(sql, bound)
        return tuple(cursor.fetchone())


@lru_cache(maxsize=64)
def _in_sqlites_words(sql: str) -> str:
    return sql.replace("%s", "?")


def _cursor(connection: Any) -> Any:
    return _cursors()(connection)


@cache
def _cursors() -> Any:
    # The driver is loaded where PostgreSQL is: it costs a process 9 MB and a tenth of a second.
    return import_module("weights.gate.prepared_cursor").PreparedCursor
