"""PostgreSQL's cursor for statements whose plans are kept."""

from typing import Any

import psycopg


class PreparedCursor(psycopg.Cursor[Any]):
    """Prepares at the first use; where `prepare_threshold` is None, psycopg does not."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> "PreparedCursor":
        return super().execute(query, params, prepare=True, **options)
