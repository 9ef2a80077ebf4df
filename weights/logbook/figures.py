"""A curve of the logbook for its page: two drawings, and the same as words and a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from weights.logbook.models import LogbookEntry, LogbookSeries
from weights.web import curves

#: Entries pinned to a curve; more would cover it.
MAX_PINS = 30
#: Rows of the table of points; a longer curve is sampled evenly.
MAX_ROWS = 60


@dataclass(frozen=True)
class PinnedEntry:
    """An entry on the curve, its number there, and the curve's value at its position."""

    number: int
    entry: LogbookEntry
    value: str


@dataclass(frozen=True)
class Figure:
    series: LogbookSeries
    wide: curves.Curve
    tall: curves.Curve
    #: The curve in one sentence.
    summary: str
    pinned: list[PinnedEntry]
    #: Entries within the curve that are not pinned.
    left_out: int
    #: (position, value) as texts.
    rows: list[tuple[str, str]]

    @property
    def is_sampled(self) -> bool:
        return len(self.series.points) > len(self.rows)


def figure(series: LogbookSeries, entries: Sequence[LogbookEntry]) -> Figure:
    """Draws a curve, with the `entries` that are about its subject and lie within it."""
    points = series.positions()
    inside = [
        (x, entry) for entry in entries if (x := _position(series, entry, points)) is not None
    ]
    inside.sort(key=lambda place: place[0])
    events, pinned = [], []
    for number, (x, entry) in enumerate(inside[:MAX_PINS], start=1):
        label = f"{number}, {entry.day}: {entry.title}"
        events.append(curves.Event(number, x, label, entry.get_absolute_url()))
        value = _value(series, curves.value_at(points, x))
        pinned.append(PinnedEntry(number, entry, value))
    return Figure(
        series=series,
        wide=curves.curve(points, events, series.as_text, wide=True),
        tall=curves.curve(points, events, series.as_text, wide=False),
        summary=_summary(series, points),
        pinned=pinned,
        left_out=len(inside) - len(pinned),
        rows=[(series.as_text(x), _value(series, y)) for x, y in curves.sample(points, MAX_ROWS)],
    )


def _position(series: LogbookSeries, entry: LogbookEntry, points: curves.Points) -> float | None:
    if (entry.checkpoint_id, entry.family_id) != (series.checkpoint_id, series.family_id):
        return None
    position = series.position_of(entry)
    inside = position is not None and points[0][0] <= position <= points[-1][0]
    return position if inside else None


def _summary(series: LogbookSeries, points: curves.Points) -> str:
    (start, first), (end, last) = points[0], points[-1]
    low, high = min(points, key=lambda point: point[1]), max(points, key=lambda point: point[1])
    at = "on" if series.is_dated else "at step"
    text = (
        f"From {_value(series, first)} {at} {series.as_text(start)}"
        f" to {_value(series, last)} {at} {series.as_text(end)}"
    )
    extremes = [
        f"{word} {_value(series, y)} {at} {series.as_text(x)}"
        for word, (x, y) in (("lowest", low), ("highest", high))
        if x not in (start, end)
    ]
    return "; ".join([text, *extremes]) + "."


def _value(series: LogbookSeries, value: float) -> str:
    number = f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    unit = series.unit
    return f"{number}{'' if unit.startswith('%') else ' '}{unit}".strip()
