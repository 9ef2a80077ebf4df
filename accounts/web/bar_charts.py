"""Coordinates of horizontal stacked bars, for `templates/components/_bar_chart.html`."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: Minimum width of a part in the chart's units, so that small amounts stay visible.
_LEAST = 2.0


@dataclass(frozen=True)
class Part:
    """A part of a bar; `kind` selects its colour, `title` describes it."""

    kind: str
    amount: float
    title: str


@dataclass(frozen=True)
class Bar:
    """One row: its label, its parts from left to right, and its amount in words."""

    label: str
    parts: Sequence[Part]
    text: str


@dataclass(frozen=True)
class Rect:
    """A part as drawn, from `x` to `x + width` in the chart's units."""

    kind: str
    x: float
    width: float
    title: str


@dataclass(frozen=True)
class Row:
    """A bar as drawn: the top of its rectangles, and the baseline of its texts."""

    label: str
    text: str
    top: float
    baseline: float
    rects: list[Rect]


@dataclass(frozen=True)
class Drawing:
    """One size of the chart, in its own units."""

    width: int
    height: int
    left: int
    right: int
    #: Where the bars end and the ticks are drawn.
    bottom: int
    thickness: int
    rows: list[Row]
    #: (position, text).
    ticks: list[tuple[float, str]]
    #: Position of the line that marks the limit.
    limit: float | None


@dataclass(frozen=True)
class BarChart:
    """A chart for wide and narrow screens; `key` is unique on the page."""

    key: str
    title: str
    description: str
    wide: Drawing
    tall: Drawing
    #: (kind, label) of the parts, in order.
    legend: Sequence[tuple[str, str]] = ()


def bar_chart(
    key: str,
    title: str,
    bars: Sequence[Bar],
    *,
    unit: str,
    legend: Sequence[tuple[str, str]] = (),
    limit: float | None = None,
    label_width: int = 110,
) -> BarChart:
    """Draw bars on one scale from zero; `label_width` is for the labels of the wide drawing."""
    described = "; ".join(f"{bar.label}: {bar.text}" for bar in bars)
    return BarChart(
        key=key,
        title=title,
        description=f"{described}. In {unit}.",
        wide=_drawing(bars, limit, left=label_width, right=800, width=1000, stacked=False),
        tall=_drawing(bars, limit, left=0, right=332, width=340, stacked=True),
        legend=legend,
    )


def _drawing(
    bars: Sequence[Bar],
    limit: float | None,
    *,
    left: int,
    right: int,
    width: int,
    stacked: bool,
) -> Drawing:
    """Draw one size of the chart; `stacked` puts the texts above their bars."""
    thickness, step, offset = (16, 46, 22) if stacked else (20, 32, 6)
    totals = [sum(part.amount for part in bar.parts) for bar in bars]
    values = ticks(max([*totals, limit or 0]), 4 if stacked else 6)
    scale = (right - left) / values[-1]

    def across(value: float) -> float:
        return round(left + value * scale, 1)

    rows = []
    for number, bar in enumerate(bars):
        top = number * step + offset
        baseline = top - 7 if stacked else top + 15
        rows.append(Row(bar.label, bar.text, top, baseline, _rects(bar.parts, across)))
    bottom = len(bars) * step + 6
    return Drawing(
        width=width,
        height=bottom + 26,
        left=left,
        right=right,
        bottom=bottom,
        thickness=thickness,
        rows=rows,
        ticks=[(across(value), f"{value:,g}") for value in values],
        limit=None if limit is None else across(limit),
    )


def _rects(parts: Sequence[Part], across: Callable[[float], float]) -> list[Rect]:
    rects, start = [], 0.0
    for part in parts:
        x, end = across(start), across(start + part.amount)
        if part.amount > 0:
            rects.append(Rect(part.kind, x, round(max(end - x, _LEAST), 1), part.title))
        start += part.amount
    return rects


def ticks(high: float, most: int) -> list[float]:
    """Return round values from 0 to at least `high` in at most `most` steps of 1 or more."""
    wanted = max(high, 1.0)
    power = 10.0 ** math.floor(math.log10(wanted / most))
    steps = (max(power * factor, 1.0) for factor in (1, 2, 5, 10))
    step = next(one for one in steps if one * most >= wanted)
    return [index * step for index in range(math.ceil(wanted / step) + 1)]
