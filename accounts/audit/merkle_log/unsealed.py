"""Rows without a seal, and which of them may be sealed now.

On PostgreSQL ids are not in commit order, and a row may become visible long after a later one.
So a column stores the transaction that wrote each row, and only rows of transactions older
than the oldest running one (the horizon) are sealed: no more rows can appear before it. The
next batch starts at that horizon. SQLite has one writer at a time, so ids are in commit order.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, models
from django.db.models.expressions import RawSQL

from accounts.audit.merkle_log.sealed_tables import LOGS, Log, Row
from accounts.audit.models import SealBatch, SealedRow

_WRITTEN_IN = RawSQL("written_in", (), output_field=models.BigIntegerField())
#: The first transaction id that was not assigned when the statement started.
_NEXT = RawSQL(
    "pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
    (),
    output_field=models.BigIntegerField(),
)


@dataclass(frozen=True)
class Unsealed:
    """Rows in sealing order, and the `horizon` and `origin` that their batch stores."""

    rows: list[tuple[Log, Row]]
    horizon: int
    origin: str
    #: Whether more rows than `rows` may be sealed.
    more: bool


def take(last: SealBatch | None, limit: int) -> Unsealed:
    """Return at most `limit` rows of each log from before the horizon."""
    database, horizon = origin(), _horizon()
    start = last.horizon if last and last.origin == database else None
    rows: list[tuple[Log, Row]] = []
    reached, more = horizon, False
    for log in LOGS:
        # One row beyond the limit shows whether the log has more.
        candidates = list(_candidates(log, start, horizon)[: limit + 1])
        rows += [(log, row[:-1]) for row in candidates[:limit]]
        if len(candidates) > limit:
            # The next batch starts with the transaction at which this one stopped.
            reached, more = min(reached, candidates[limit - 1][-1]), True
    if more and start is None:
        return Unsealed(rows, 0, "", more=True)  # the full scan has rows left: scan again
    return Unsealed(rows, reached, database, more=more)


def out_of_band(last: SealBatch, log: Log) -> "models.QuerySet[Any]":
    """Return unsealed rows that no sealer would reach: the portal did not write them."""
    unsealed: models.QuerySet[Any] = _unsealed(log)
    if last.origin != origin():
        return unsealed.none()
    if connection.vendor == "postgresql":
        outside = models.Q(written_in__lt=last.horizon) | models.Q(written_in__gte=_NEXT)
        unsealed = unsealed.annotate(written_in=_WRITTEN_IN)
        return unsealed.filter(outside)
    return unsealed.filter(pk__lte=_last_sealed(log))


def backlog(last: SealBatch | None) -> tuple[int, datetime | None]:
    """Return the number of unsealed rows, and the time of the oldest."""
    start = last.horizon if last and last.origin == origin() else None
    totals = [
        _candidates(log, start, None)
        .order_by()
        .aggregate(count=models.Count("pk"), oldest=models.Min("at"))
        for log in LOGS
    ]
    times = [total["oldest"] for total in totals if total["oldest"]]
    return sum(total["count"] for total in totals), min(times, default=None)


def origin() -> str:
    """Return the database cluster that assigns transaction ids; a restored copy has another."""
    if connection.vendor != "postgresql":
        return connection.vendor
    number = _query("SELECT system_identifier FROM pg_control_system()")
    return f"postgresql:{number}"


def _candidates(log: Log, start: int | None, horizon: int | None) -> "models.QuerySet[Any]":
    """Return unsealed rows in sealing order, each followed by the transaction that wrote it.

    Without `start`, searches all rows.
    """
    unsealed: models.QuerySet[Any] = _unsealed(log)
    if connection.vendor != "postgresql":
        if start is not None:
            unsealed = unsealed.filter(pk__gt=_last_sealed(log))
        return unsealed.order_by("pk").values_list(*log.fields, models.Value(0))
    unsealed = unsealed.annotate(written_in=_WRITTEN_IN)
    if start is not None:
        unsealed = unsealed.filter(written_in__gte=start)
        if horizon is not None:
            unsealed = unsealed.filter(written_in__lt=horizon)
    return unsealed.order_by("written_in", "pk").values_list(*log.fields, "written_in")


def _unsealed(log: Log) -> "models.QuerySet[Any]":
    sealed = SealedRow.objects.filter(log=log.number, row_id=models.OuterRef("pk"))
    unsealed: models.QuerySet[Any] = log.rows.filter(~models.Exists(sealed))
    return unsealed


def _last_sealed(log: Log) -> int:
    sealed = SealedRow.objects.filter(log=log.number)
    return int(sealed.aggregate(last=models.Max("row_id"))["last"] or 0)


def _horizon() -> int:
    """Return the oldest running transaction; every older one has ended. 0 on SQLite."""
    if connection.vendor != "postgresql":
        return 0
    return int(_query("SELECT pg_snapshot_xmin(pg_current_snapshot())::text"))


def _query(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]
