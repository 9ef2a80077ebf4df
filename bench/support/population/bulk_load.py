"""Copy the template rows in every table, then build the indexes."""

from collections.abc import Iterator
from pathlib import Path

from support import copies
from support.population import catalogue, files, indexes, ledger, merkle_tree, people, templates
from support.population.expressions import Copies
from support.population.proportions import Sizes


def fill(folder: Path, sizes: Sizes) -> None:
    """Fill the migrated, empty database of this process."""
    from django.db import connection

    records = templates.create(folder)
    base = {name: record.pk for name, record in records.items()}
    with connection.cursor() as cursor:
        # Keys are valid by construction, and checking 10⁷ of them takes memory and hours.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute("SET synchronous_commit = off")
        copied = {record._meta.db_table for record in records.values()}
        statements = indexes.drop(cursor, [*sorted(copied), "accounts_sealedrow"])
        merkle_tree.number_transactions(cursor, sizes)
        for name, count, differing in tables(base, sizes):
            cursor.execute(copies.of(records[name], count, differing))
        indexes.restart_sequences(cursor)
        merkle_tree.seal(cursor, base, sizes)
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM (ANALYZE)")


def tables(base: dict[str, int], sizes: Sizes) -> Iterator[Copies]:
    """All rows to create; `base` has the id of each template."""
    for part in (people, catalogue, files, ledger):
        yield from part.tables(base, sizes)
