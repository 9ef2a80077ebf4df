"""Full text search of checkpoints: names, tags, cards and logbook entries.

A document per checkpoint holds normalised words. PostgreSQL searches them by a text search vector
with a GIN index, SQLite by an FTS5 table; both match the beginnings of words.
"""

from django.db import connection

from weights.catalogue.search import postgresql, sqlite
from weights.catalogue.search.words import query_words

__all__ = ["ranks"]


def ranks(text: str) -> dict[int, float]:
    """The rank of each checkpoint, by id, that contains all words of `text`; the best is highest.

    One query; none for a text without words, which matches nothing. Hidden checkpoints are among
    the results, so callers filter them by `visible_to`.
    """
    words = query_words(text)
    if not words:
        return {}
    vendor = postgresql if connection.vendor == "postgresql" else sqlite
    with connection.cursor() as cursor:
        cursor.execute(vendor.STATEMENT, [vendor.query(words)])
        return dict(cursor.fetchall())
