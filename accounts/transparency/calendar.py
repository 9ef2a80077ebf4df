"""The calendar of checks: a square for each day, a column for each week."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

#: Side of a day's square, and the distance between two.
_SIDE, _STEP = 14, 18
_LEFT, _TOP = 40, 24
_WEEKS = {"wide": 53, "tall": 16}
_LEVELS = 4


@dataclass(frozen=True)
class Failure:
    """A day with failures: the corner of its square, and its title."""

    x: int
    y: int
    title: str
    side: int = _SIDE


@dataclass(frozen=True)
class Calendar:
    """One size of the calendar; `paths` draw the squares of each level, 0 for no check."""

    size: str
    width: int
    height: int
    paths: list[tuple[int, str]]
    failures: list[Failure]
    #: (position, text) of the months at the top and the weekdays on the left.
    months: list[tuple[int, str]]
    weekdays: list[tuple[int, str]]
    description: str


def calendars(rows: Sequence[Mapping[str, Any]], today: date) -> list[Calendar]:
    """Return the wide and the narrow calendar up to `today`, from `day`, `blobs`, `failures`."""
    days = {date.fromisoformat(row["day"]): row for row in rows}
    return [_calendar(size, weeks, days, today) for size, weeks in _WEEKS.items()]


def _calendar(
    size: str, weeks: int, days: Mapping[date, Mapping[str, Any]], today: date
) -> Calendar:
    first = today - timedelta(days=today.weekday(), weeks=weeks - 1)
    shown = {day: row for day, row in days.items() if first <= day <= today}
    most = max((row["blobs"] for row in shown.values()), default=0)
    paths: dict[int, list[str]] = {}
    for number in range((today - first).days + 1):
        day = first + timedelta(days=number)
        x, y = _corner(day, first)
        level = -(-_LEVELS * shown[day]["blobs"] // most) if day in shown and most else 0
        paths.setdefault(level, []).append(f"M{x} {y}h{_SIDE}v{_SIDE}h-{_SIDE}z")
    return Calendar(
        size=size,
        width=_LEFT + weeks * _STEP,
        height=_TOP + 7 * _STEP,
        paths=[(level, "".join(path)) for level, path in sorted(paths.items())],
        failures=[
            Failure(*_corner(day, first), f"{row['failures']} failed on {day.isoformat()}")
            for day, row in sorted(shown.items())
            if row["failures"]
        ],
        months=_months(first, weeks),
        weekdays=[
            (_TOP + row * _STEP + 12, name) for row, name in ((0, "Mon"), (2, "Wed"), (4, "Fri"))
        ],
        description=_description(first, today, shown),
    )


def _corner(day: date, first: date) -> tuple[int, int]:
    week, weekday = divmod((day - first).days, 7)
    return _LEFT + week * _STEP, _TOP + weekday * _STEP


def _months(first: date, weeks: int) -> list[tuple[int, str]]:
    """Return (position, name) for the first Monday of each month, except in the last column."""
    starts: list[tuple[int, str]] = []
    for week in range(weeks):
        monday = first + timedelta(weeks=week)
        if monday.day <= 7 and week < weeks - 1:
            starts.append((_LEFT + week * _STEP, f"{monday:%b}"))
    return starts


def _description(first: date, today: date, shown: Mapping[date, Mapping[str, Any]]) -> str:
    read = sum(row["blobs"] for row in shown.values())
    failed = sum(row["failures"] for row in shown.values())
    return (
        f"From {first.isoformat()} to {today.isoformat()}: {read:,} readings on {len(shown)} days, "
        f"{failed:,} failed checks."
    )
