"""Search with SQLite: an FTS5 table that triggers keep in sync with the documents."""

from collections.abc import Sequence

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

STATEMENT = """
SELECT checkpoint_id, -bm25(weights_searchdocument_fts, 10, 4, 1, 1)
FROM weights_searchdocument_fts
JOIN weights_searchdocument ON weights_searchdocument.id = weights_searchdocument_fts.rowid
WHERE weights_searchdocument_fts MATCH %s
"""
_TABLE = "weights_searchdocument_fts"
#: The tables that SQLite creates for it, which have no models.
TABLES = {_TABLE, *(f"{_TABLE}_{part}" for part in ("data", "idx", "docsize", "config"))}
_CREATE = """
CREATE VIRTUAL TABLE weights_searchdocument_fts USING fts5(names, tags, body, logbook,
    content='weights_searchdocument', content_rowid='id', tokenize='unicode61')
"""
_DELETE = """
INSERT INTO weights_searchdocument_fts
    (weights_searchdocument_fts, rowid, names, tags, body, logbook)
    VALUES ('delete', old.id, old.names, old.tags, old.body, old.logbook);
"""
_INSERT = """
INSERT INTO weights_searchdocument_fts (rowid, names, tags, body, logbook)
    VALUES (new.id, new.names, new.tags, new.body, new.logbook);
"""
_TRIGGERS = {"INSERT": _INSERT, "DELETE": _DELETE, "UPDATE": _DELETE + _INSERT}


def query(words: Sequence[str]) -> str:
    """A query for all words as prefixes. The words contain only letters and digits."""
    return " AND ".join(f'"{word}"*' for word in words)


def install(editor: BaseDatabaseSchemaEditor) -> None:
    """Creates the table and its triggers.

    A migration that alters the documents copies their table and drops the triggers, so it must
    install them again.
    """
    editor.execute(_CREATE)
    for event, statements in _TRIGGERS.items():
        editor.execute(
            f"CREATE TRIGGER searchdocument_after_{event.lower()} AFTER {event}"
            f" ON weights_searchdocument BEGIN {statements} END"
        )
