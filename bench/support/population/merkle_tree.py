# ruff: noqa: S608 - all names are our own
"""The Merkle tree over the rows of ledger and trail."""

from typing import Any

from support.population.expressions import ago
from support.population.proportions import DAYS, Sizes


def number_transactions(cursor: Any, sizes: Sizes) -> None:
    """Give each row of trail and ledger its own transaction id, before the first real one."""
    for table, count in (
        ("accounts_auditevent", sizes.events),
        ("weights_download", sizes.downloads),
    ):
        cursor.execute(f"CREATE SEQUENCE {table}_age START {-count} MINVALUE {-count} CACHE 1000")
        cursor.execute(f"ALTER TABLE {table} ALTER written_in SET DEFAULT nextval('{table}_age')")


def seal(cursor: Any, base: dict[str, int], sizes: Sizes) -> None:
    """Add a leaf for each copied row (every eleventh an event), and the nodes above."""
    for table in ("accounts_auditevent", "weights_download"):
        cursor.execute(
            f"ALTER TABLE {table} ALTER written_in SET DEFAULT (pg_current_xact_id()::text::bigint)"
        )
        cursor.execute(f"DROP SEQUENCE {table}_age")
    rows = sizes.events * 11
    cursor.execute(
        'INSERT INTO accounts_sealedrow ("index", log, row_id, hash)'
        " SELECT i, CASE WHEN i % 11 = 0 THEN 1 ELSE 2 END, CASE WHEN i % 11 = 0"
        f" THEN {base['AuditEvent']} + i / 11 + 1 ELSE {base['Download']} + i - i / 11 END,"
        f" sha256(i::text::bytea) FROM generate_series(0, {rows - 1}) AS i"
    )
    _nodes(cursor, rows)
    _batches(cursor, rows)


def _nodes(cursor: Any, rows: int) -> None:
    """Add every full inner node above the leaves; the portal stores every fourth level."""
    source, key = "accounts_sealedrow", '"index"'
    for level in range(4, 40, 4):
        if rows >> level == 0:
            break
        below = f"SELECT {key} AS i, hash FROM {source}"
        if level > 4:
            below = (
                f"SELECT id - {(level - 4) << 56} AS i, hash FROM {source}"
                f" WHERE id >= {(level - 4) << 56} AND id < {(level - 3) << 56}"
            )
        cursor.execute(
            "INSERT INTO accounts_sealednode (id, hash)"
            f" SELECT {level << 56} + i / 16, {_node('leaves', 4, 0)} FROM"
            f" (SELECT i / 16 * 16 AS i, string_agg(hash, ''::bytea ORDER BY i) AS leaves"
            f" FROM ({below}) AS below GROUP BY i / 16) AS sixteen WHERE length(leaves) = 512"
        )
        source, key = "accounts_sealednode", "id"


def _node(leaves: str, level: int, index: int) -> str:
    """The hash of a node above sixteen concatenated hashes (RFC 9162, section 2.1)."""
    if level == 0:
        return f"substring({leaves} FROM {32 * index + 1} FOR 32)"
    left, right = (_node(leaves, level - 1, 2 * index + side) for side in (0, 1))
    return f"sha256('\\x01'::bytea || {left} || {right})"


def _batches(cursor: Any, rows: int) -> None:
    """A batch for each 1,000 rows; only the last one has its true root and edge."""
    from django.utils import timezone

    from accounts.audit.merkle_log import merkle, proofs, signed_heads, unsealed
    from accounts.audit.models import SealBatch

    size, last = 1000, rows // 1000
    cursor.execute(
        "INSERT INTO accounts_sealbatch (number, sealed_at, start, size, root, edge, horizon,"
        f" origin) SELECT n, {ago(f'{DAYS} * (1 - n / {last}::float8)')}, (n - 1) * {size},"
        f" n * {size}, sha256(n::text::bytea), sha256(n::text::bytea), 0, '' FROM"
        f" generate_series(1, {last - 1}) AS n"
    )
    # Private functions, because no service accepts a tree that it did not build.
    parts = proofs._roots(
        [(node[1] << node[0], (node[1] + 1) << node[0]) for node in merkle.subtrees((0, rows))]
    )
    cursor.execute("SELECT pg_current_xact_id()::text::bigint")
    SealBatch.objects.create(
        number=last,
        sealed_at=timezone.now(),
        start=(last - 1) * size,
        size=rows,
        root=merkle.root_of(parts),
        edge=b"".join(parts),
        horizon=cursor.fetchone()[0],
        origin=unsealed.origin(),
    )
    signed_heads.sign()
