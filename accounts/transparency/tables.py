"""The published tables, and each as CSV."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.utils import timezone

from accounts.transparency import cache_format, suppression
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
    "appeals": ("month", "tier", *OUTCOMES, "shown"),
    "reasons": ("month", "tier", "verdict", "code", "applications"),
    "queue": ("tier", *AGES, "shown"),
    "grants": ("tier", *STATES, "shown"),
}
#: Tables of other apps: in `AppConfig.ready`, an app appends a callable that returns its tables,
#: and adds their columns to `TABLES`.
SOURCES: list[Callable[[], dict[str, list[dict[str, Any]]]]] = []
_KEY = "transparency:4"
#: Seconds for which the tables are cached. A sweep recounts them every ten minutes, because
#: counting reads every application and blob, and no visitor should wait for that.
CACHE_SECONDS = 24 * 3600


def published() -> dict[str, Any]:
    """Return `made_at`, and each table as a list of rows; count now only if none are cached."""
    return cache_format.load(cache.get(_KEY), TABLES) or _count_again()


def renew(now: datetime) -> None:
    """Count the tables again, as a step of a sweep."""
    _count_again()


def _count_again() -> dict[str, Any]:
    current = {"made_at": timezone.now(), **build_tables(count())}
    for source in SOURCES:
        current.update(source())
    cache.set(_KEY, cache_format.dump(current), CACHE_SECONDS)
    return current


def build_tables(counts: Counts) -> dict[str, list[dict[str, Any]]]:
    """Return the tables of these counts, with small counts suppressed."""
    keys = sorted(counts.months)
    return {
        "applications": [_applications(counts, key) for key in keys],
        "appeals": [_appeals(counts, key) for key in keys if counts.months[key].appeals],
        "reasons": [row for key in keys for row in _reasons(counts, key)],
        "queue": [_queue(counts, tier) for tier in sorted(counts.queue)],
        "grants": [_grants(counts, tier) for tier in sorted(counts.grants)],
    }


def as_csv(table: str, rows: list[dict[str, Any]]) -> str:
    """Return a table as CSV; a withheld number is an empty field, times are UTC (RFC 3339)."""
    columns = TABLES[table]
    return "".join(csv_lines([columns, *([_cell(row[name]) for name in columns] for row in rows)]))


def _cell(value: Any) -> Any:
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value


def _applications(counts: Counts, key: tuple[str, str]) -> dict[str, Any]:
    month = counts.months[key]
    cells = suppression.outcomes(month)
    median, p90 = suppression.waits(month)
    return {
        "month": key[0],
        "tier": key[1],
        **cells,
        "shown": shown(cells.values()),
        "returned_at_least_once": suppression.returned(month),
        "median_days": median,
        "p90_days": p90,
    }


def _appeals(counts: Counts, key: tuple[str, str]) -> dict[str, Any]:
    cells = suppression.appeals(counts.months[key])
    return {"month": key[0], "tier": key[1], **cells, "shown": shown(cells.values())}


def _reasons(counts: Counts, key: tuple[str, str]) -> list[dict[str, Any]]:
    month = counts.months[key]
    return [
        {"month": key[0], "tier": key[1], "verdict": verdict, "code": code, "applications": number}
        for verdict in ("reject", "return")
        for code, number in suppression.reasons(month, verdict).items()
    ]


def _queue(counts: Counts, tier: str) -> dict[str, Any]:
    cells = {age: suppression.rounded(suppression.cell(counts.queue[tier][age])) for age in AGES}
    return {"tier": tier, **cells, "shown": shown(cells.values())}


def _grants(counts: Counts, tier: str) -> dict[str, Any]:
    states = {state: counts.grants[tier][state] for state in STATES}
    approved = [
        suppression.cell(outcomes["approved"])
        for (_, slug), month in counts.months.items()
        for outcomes in (month.outcomes, month.appeals)
        if slug == tier
    ]
    exact = suppression.grants(states, approved)
    cells = {state: suppression.rounded(number) for state, number in exact.items()}
    return {"tier": tier, **cells, "shown": shown(cells.values())}
