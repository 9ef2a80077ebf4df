"""Full text search of checkpoints: names, tags, cards and logbook entries.

Each checkpoint has a document of normalised words. PostgreSQL searches it with a text search
vector and a GIN index, SQLite with an FTS5 table; both match word prefixes.
"""

from django.db import connection

from weights.catalogue.search import postgresql, sqlite
from weights.catalogue.search.words import query_words

__all__ = ["ranks"]


def ranks(text: str) -> dict[int, float]:
    """The rank, by id, of each checkpoint that contains all words of `text`; higher is better.

    One query, or none for a text without words, which matches nothing. The results include hidden
    checkpoints, so callers must filter them with `visible_to`.
    """
    words = query_words(text)
    if not words:
        return {}
    vendor = postgresql if connection.vendor == "postgresql" else sqlite
    with connection.cursor() as cursor:
        cursor.execute(vendor.STATEMENT, [vendor.query(words)])
        return dict(cursor.fetchall())
