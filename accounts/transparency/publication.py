"""The numbers as everybody sees them, and their tables as CSV."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.utils import timezone

from accounts.transparency import cached, suppression
from accounts.transparency.counting import AGES, OUTCOMES, STATES, Counts, count
from accounts.transparency.suppression import shown
from accounts.web.csv_lines import csv_lines

#: table -> its columns, in order.
TABLES: dict[str, tuple[str, ...]] = {
    "applications": (
        "month",
        "tier",
        *OUTCOMES,
        "shown",
        "returned_at_least_once",
        "median_days",
        "p90_days",
    ),
    "reasons": ("month", "tier", "verdict", "code", "applications"),
    "queue": ("tier", *AGES, "shown"),
    "grants": ("tier", *STATES, "shown"),
}
#: Who counts what accounts does not know of: an app appends its callable when it is loaded, and
#: the columns of its tables to `TABLES`.
SOURCES: list[Callable[[], dict[str, list[dict[str, Any]]]]] = []
_KEY = "transparency:3"
#: Seconds that a publication stands; counting reads every application.
LIFE = 600


def published() -> dict[str, Any]:
    """The publication in force: `made_at`, and each table as a list of rows."""
    numbers = cached.load(cache.get(_KEY), TABLES)
    if numbers is None:
        numbers = {"made_at": timezone.now(), **tables(count())}
        for source in SOURCES:
            numbers.update(source())
        cache.set(_KEY, cached.dump(numbers), LIFE)
    return numbers


def tables(counts: Counts) -> dict[str, list[dict[str, Any]]]:
    """Everything that is published of these counts."""
    keys = sorted(counts.rows)
    return {
        "applications": [_applications(counts, key) for key in keys],
        "reasons": [line for key in keys for line in _reasons(counts, key)],
        "queue": [_queue(counts, tier) for tier in sorted(counts.queue)],
        "grants": [_grants(counts, tier) for tier in sorted(counts.grants)],
    }


def as_csv(table: str, rows: list[dict[str, Any]]) -> str:
    """One table; a number that is withheld is an empty field, times are UTC (RFC 3339)."""
    columns = TABLES[table]
    return "".join(csv_lines([columns, *([_cell(row[name]) for name in columns] for row in rows)]))


def _cell(value: Any) -> Any:
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value


def _applications(counts: Counts, key: tuple[str, str]) -> dict[str, Any]:
    row = counts.rows[key]
    cells = suppression.outcomes(row)
    median, p90 = suppression.waits(row)
    return {
        "month": key[0],
        "tier": key[1],
        **cells,
        "shown": shown(cells.values()),
        "returned_at_least_once": suppression.returned(row),
        "median_days": median,
        "p90_days": p90,
    }


def _reasons(counts: Counts, key: tuple[str, str]) -> list[dict[str, Any]]:
    row = counts.rows[key]
    return [
        {"month": key[0], "tier": key[1], "verdict": verdict, "code": code, "applications": told}
        for verdict in ("reject", "return")
        for code, told in suppression.reasons(row, verdict).items()
    ]


def _queue(counts: Counts, tier: str) -> dict[str, Any]:
    cells = {age: suppression.cell(counts.queue[tier][age]) for age in AGES}
    return {"tier": tier, **cells, "shown": shown(cells.values())}


def _grants(counts: Counts, tier: str) -> dict[str, Any]:
    states = {state: counts.grants[tier][state] for state in STATES}
    approved = [
        suppression.cell(row.outcomes["approved"])
        for (_, of), row in counts.rows.items()
        if of == tier
    ]
    cells = suppression.grants(states, approved)
    return {"tier": tier, **cells, "shown": shown(cells.values())}
