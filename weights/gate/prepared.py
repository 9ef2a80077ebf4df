"""A cursor whose statements the database plans once a connection, where it can keep a plan.

Planning the gate's statement takes PostgreSQL several times as long as running it. Nothing
else is prepared: the ORM's SQL has its values written into it, so that no two are alike.
"""

from typing import Any

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper


def cursor() -> CursorWrapper:
    """The default database's cursor, to be used in a `with` block."""
    if connection.vendor != "postgresql":
        return connection.cursor()
    connection.ensure_connection()
    own: Any = _Cursor(connection.connection)
    made = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    return made(own)


class _Cursor(psycopg.Cursor[Any]):
    """Prepares at the first use; where `prepare_threshold` is None, psycopg does not."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> "_Cursor":
        return super().execute(query, params, prepare=True, **options)
