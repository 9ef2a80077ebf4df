"""Which rows have no seal yet, and may get one now.

PostgreSQL: ids are not the order of commits, and a row may become visible long after a later
one. So each row says which transaction wrote it, and only rows of transactions before the
oldest that still runs are taken: behind that horizon nothing can appear any more. The next
batch goes on from there. SQLite: one writer at a time, so ids are the order of commits.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, models
from django.db.models.expressions import RawSQL

from accounts.audit.merkle_log.logs import LOGS, Log, Row
from accounts.audit.models import SealBatch, SealedRow

_WRITTEN_IN = RawSQL("written_in", (), output_field=models.BigIntegerField())
#: The first transaction that had not begun when the statement did.
_NEXT = RawSQL(
    "pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
    (),
    output_field=models.BigIntegerField(),
)


@dataclass(frozen=True)
class Waiting:
    """Rows to seal in this order, and up to where all will then be sealed."""

    rows: list[tuple[Log, Row]]
    horizon: int
    origin: str
    #: Whether more rows wait than were taken.
    more: bool


def take(last: SealBatch | None, most: int) -> Waiting:
    """At most `most` rows of each log that wait behind the horizon."""
    here, horizon = origin(), _horizon()
    begins = last.horizon if last and last.origin == here else None
    rows: list[tuple[Log, Row]] = []
    reached, more = horizon, False
    for log in LOGS:
        # One more than is taken tells whether the log was read to its end.
        found = list(_candidates(log, begins, horizon)[: most + 1])
        rows += [(log, row[:-1]) for row in found[:most]]
        if len(found) > most:
            # The next batch begins in the transaction in which this one had to stop.
            reached, more = min(reached, found[most - 1][-1]), True
    if more and begins is None:
        return Waiting(rows, 0, "", more=True)  # what is older than any batch comes first
    return Waiting(rows, reached, here, more=more)


def behind(last: SealBatch, log: Log) -> "models.QuerySet[Any]":
    """Rows that should have a seal and have none: nothing of ours writes such rows."""
    unsealed: models.QuerySet[Any] = _unsealed(log)
    if last.origin != origin():
        return unsealed.none()
    if connection.vendor == "postgresql":
        outside = models.Q(written_in__lt=last.horizon) | models.Q(written_in__gte=_NEXT)
        unsealed = unsealed.annotate(written_in=_WRITTEN_IN)
        return unsealed.filter(outside)
    return unsealed.filter(pk__lte=_last_sealed(log))


def oldest(last: SealBatch | None) -> tuple[int, datetime | None]:
    """How many rows wait, and since when the oldest does."""
    begins = last.horizon if last and last.origin == origin() else None
    found = [
        _candidates(log, begins, None)
        .order_by()
        .aggregate(count=models.Count("pk"), oldest=models.Min("at"))
        for log in LOGS
    ]
    times = [one["oldest"] for one in found if one["oldest"]]
    return sum(one["count"] for one in found), min(times, default=None)


def origin() -> str:
    """The database whose transactions are counted: a restored copy counts anew."""
    if connection.vendor != "postgresql":
        return connection.vendor
    number = _ask("SELECT system_identifier FROM pg_control_system()")
    return f"postgresql:{number}"


def _candidates(log: Log, begins: int | None, horizon: int | None) -> "models.QuerySet[Any]":
    """Rows without a seal, in the order in which they get it; `begins` None looks at all.

    Behind the fields of the log comes the transaction that wrote the row.
    """
    unsealed: models.QuerySet[Any] = _unsealed(log)
    if connection.vendor != "postgresql":
        if begins is not None:
            unsealed = unsealed.filter(pk__gt=_last_sealed(log))
        return unsealed.order_by("pk").values_list(*log.fields, models.Value(0))
    unsealed = unsealed.annotate(written_in=_WRITTEN_IN)
    if begins is not None:
        unsealed = unsealed.filter(written_in__gte=begins)
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
    """The oldest transaction that still runs; every older one has ended."""
    if connection.vendor != "postgresql":
        return 0
    return int(_ask("SELECT pg_snapshot_xmin(pg_current_snapshot())::text"))


def _ask(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]
