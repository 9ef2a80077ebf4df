"""Coordinates of a curve with events pinned to it, for templates that draw it as SVG."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

#: Radius of a pin, and the least distance between the centres of two pins in a row.
_RADIUS, _APART = 11, 26


@dataclass(frozen=True)
class Event:
    """An event to pin: its number in the list beside the chart, its position and its link."""

    number: int
    x: float
    label: str
    address: str


@dataclass(frozen=True)
class Pin:
    """A numbered circle at (`x`, `row`), with a stem down to the curve at (`x`, `y`)."""

    event: Event
    x: float
    y: float
    row: float

    @property
    def stem(self) -> float:
        return self.row + _RADIUS

    @property
    def baseline(self) -> float:
        """The baseline of the number in the circle."""
        return self.row + 4


@dataclass(frozen=True)
class Curve:
    """The curve's frame in the chart's units, its ticks as (position, text), and its pins."""

    width: int
    height: float
    left: int
    right: int
    bottom: float
    path: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    pins: list[Pin]
    radius: int = _RADIUS


Points = Sequence[tuple[float, float]]


def curve(
    points: Points, events: Sequence[Event], as_text: Callable[[float], str], *, wide: bool
) -> Curve:
    """Draws at least two points with rising x; `as_text` writes a position of the x axis.

    The vertical axis starts at zero, or below it for negative values.
    """
    width, left, tall = (1000, 60, 260) if wide else (340, 46, 200)
    right = width - (30 if wide else 16)
    first, last = points[0][0], points[-1][0]
    across = _linear(first, last, left, right)
    shown = [event for event in events if first <= event.x <= last]
    rows = _rows([across(event.x) for event in shown])
    top = 16 + _APART * (max(rows, default=-1) + 1)
    values = [value for _, value in points]
    y_ticks = _ticks(min(0.0, *values), max(0.0, *values), 4)
    down = _linear(y_ticks[0], y_ticks[-1], top + tall, top)
    return Curve(
        width=width,
        height=top + tall + 34,
        left=left,
        right=right,
        bottom=top + tall,
        path="M" + "L".join(f"{across(x)} {down(y)}" for x, y in points),
        x_ticks=[(across(x), as_text(x)) for x in _spread(first, last, 5 if wide else 3)],
        y_ticks=[(down(value), _plain(value)) for value in y_ticks],
        pins=[
            Pin(event, across(event.x), down(value_at(points, event.x)), 14 + _APART * row)
            for event, row in zip(shown, rows, strict=True)
        ],
    )


def value_at(points: Points, x: float) -> float:
    """The value at `x`, interpolated between two points. Raises ValueError outside the curve."""
    if not points[0][0] <= x <= points[-1][0]:
        raise ValueError(f"{x} lies outside the curve")
    after = max(1, bisect_left(points, x, key=itemgetter(0)))
    (start, low), (end, high) = points[after - 1], points[after]
    return low + (high - low) * (x - start) / (end - start)


def sample(points: Points, most: int) -> Points:
    """At most `most` points, evenly spread, with the first and the last."""
    if len(points) <= most:
        return points
    return [points[round(index * (len(points) - 1) / (most - 1))] for index in range(most)]


def _linear(start: float, end: float, low: float, high: float) -> Callable[[float], float]:
    """Maps `start` to `low` and `end` to `high`."""
    scale = (high - low) / (end - start) if end > start else 0.0
    return lambda value: round(low + (value - start) * scale, 1)


def _rows(positions: Sequence[float]) -> list[int]:
    """For each position, the first row with room for a pin there."""
    ends: list[float] = []
    rows = []
    for position in positions:
        free = (row for row, end in enumerate(ends) if position - end >= _APART)
        row = next(free, len(ends))
        ends[row : row + 1] = [position]
        rows.append(row)
    return rows


def _spread(first: float, last: float, count: int) -> list[float]:
    """Whole positions from `first` to `last`, evenly spread."""
    spread = (first + (last - first) * index / (count - 1) for index in range(count))
    return sorted({float(round(position)) for position in spread})


def _plain(value: float) -> str:
    """A number without an exponent: `0.00005`, `12,000`."""
    return f"{value:,.12f}".rstrip("0").rstrip(".")


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Round values, about `count` steps, that enclose `low` and `high`."""
    span = (high - low) or 1.0
    power = 10 ** math.floor(math.log10(span / count))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor * count >= span)
    first, last = math.floor(low / step), math.ceil((high or step) / step)
    return [index * step for index in range(first, last + 1)]
