"""Search with PostgreSQL: a generated `tsvector` column with a GIN index.

The column is not part of the model, since SQLite has no such type.
"""

from collections.abc import Sequence

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

STATEMENT = """
SELECT checkpoint_id, ts_rank(words, wanted)
FROM weights_searchdocument, to_tsquery('simple', %s) AS wanted
WHERE words @@ wanted
"""
#: Matches in names count most, then tags, then the rest.
_COLUMN = """
ALTER TABLE weights_searchdocument ADD COLUMN words tsvector GENERATED ALWAYS AS (
    setweight(to_tsvector('simple', names), 'A') || setweight(to_tsvector('simple', tags), 'B')
    || setweight(to_tsvector('simple', body), 'D') || setweight(to_tsvector('simple', logbook), 'D')
) STORED
"""
_INDEX = "CREATE INDEX searchdocument_by_words ON weights_searchdocument USING gin (words)"


def query(words: Sequence[str]) -> str:
    """A query for all words as prefixes. The words contain only letters and digits."""
    return " & ".join(f"{word}:*" for word in words)


def install(editor: BaseDatabaseSchemaEditor) -> None:
    editor.execute(_COLUMN)
    editor.execute(_INDEX)
