"""Coordinates of the SVG charts that templates draw."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_TICKS = [
    (10**8, "100 million"),
    (10**9, "1 billion"),
    (10**10, "10 billion"),
    (10**11, "100 billion"),
]
#: Half the side of a gated mark, a square that the template turns by 45 degrees.
_HALF_SIDE = 7
PUBLISHED = "published"


@dataclass(frozen=True)
class Mark:
    """One checkpoint on the scale, centred at (`x`, `y`) in the chart's units."""

    x: float
    y: float
    label: str
    value: str
    address: str
    gated: bool
    #: PUBLISHED, or why its files are not here.
    here: str
    #: Position of the label: its start in a vertical chart, its baseline in a horizontal one.
    text: float

    @property
    def is_published(self) -> bool:
        return self.here == PUBLISHED

    @property
    def left(self) -> float:
        return self.x - _HALF_SIDE

    @property
    def top(self) -> float:
        return self.y - _HALF_SIDE

    @property
    def stem(self) -> float:
        """Start of the line from the label to the mark, in a horizontal chart."""
        return self.text + 8


@dataclass(frozen=True)
class Scale:
    """Parameter counts on a log scale: position of the axis, ticks as (position, text), marks."""

    width: int
    height: int
    axis: float
    ticks: list[tuple[float, str]]
    marks: list[Mark]


#: Label, parameters, address, gated, here.
Row = tuple[str, int, str, bool, str]


def parameters_wide(rows: Sequence[Row]) -> Scale:
    """A horizontal scale; neighbouring labels are on different lines."""
    width, height, left, right, axis = 1000, 190, 70, 60, 130
    lines = (60, 95, 25)
    position = _log_scale(left, width - right)
    marks = [_mark(row, position(row[1]), axis, lines[index % 3]) for index, row in enumerate(rows)]
    return Scale(width, height, axis, [(position(value), text) for value, text in _TICKS], marks)


def parameters_tall(rows: Sequence[Row]) -> Scale:
    """The vertical form, for narrow screens."""
    width, height, edge, axis = 340, 470, 25, 120
    position = _log_scale(edge, height - edge)
    marks = [_mark(row, axis, position(row[1]), axis + 20) for row in rows]
    return Scale(width, height, axis, [(position(value), text) for value, text in _TICKS], marks)


def _mark(row: Row, x: float, y: float, text: float) -> Mark:
    label, count, address, gated, here = row
    return Mark(x, y, label, count_in_words(count), address, gated, here, text)


def _log_scale(start: int, end: int) -> Callable[[int], float]:
    """Maps 10^8 parameters to `start` and 2 * 10^11 to `end`."""
    low, high = 8.0, math.log10(2 * 10**11)

    def position(parameters: int) -> float:
        fraction = (math.log10(max(parameters, 1)) - low) / (high - low)
        return round(start + (end - start) * min(max(fraction, 0.0), 1.0), 1)

    return position


@dataclass(frozen=True)
class ShardPicture:
    """A grid of all shards: one SVG path for each kind of state."""

    parts: int
    shards: int
    verified: int
    width: int
    height: int
    paths: list[tuple[str, str]]


#: Distance between shards and between parts, and the size of a cell.
_STEP_X, _STEP_Y, _CELL_X, _CELL_Y = 6, 14, 4, 11


def shard_picture(
    files: Sequence[tuple[int | None, int | None, str]],
) -> ShardPicture | None:
    """Draws files given as (part, shard, kind of state); None below two parts of two shards."""
    cells = [
        (part, shard, kind) for part, shard, kind in files if part is not None and shard is not None
    ]
    rows = {part: row for row, part in enumerate(sorted({part for part, _, _ in cells}))}
    columns = {shard: column for column, shard in enumerate(sorted({cell[1] for cell in cells}))}
    if len(rows) < 2 or len(columns) < 2:
        return None
    paths: dict[str, list[str]] = {}
    for part, shard, kind in cells:
        corner = f"M{columns[shard] * _STEP_X + 1} {rows[part] * _STEP_Y + 1}"
        paths.setdefault(kind, []).append(f"{corner}h{_CELL_X}v{_CELL_Y}h-{_CELL_X}z")
    return ShardPicture(
        parts=len(rows),
        shards=len(columns),
        verified=len(paths.get("verified", [])),
        width=len(columns) * _STEP_X + 2,
        height=len(rows) * _STEP_Y + 2,
        paths=[(kind, "".join(path)) for kind, path in sorted(paths.items())],
    )


@dataclass(frozen=True)
class Segment:
    """A part of a stacked bar, from `x` to `x + width` in the chart's units."""

    key: str
    x: float
    width: float


@dataclass(frozen=True)
class StackedBar:
    """One bar of parts; `limit` is the position of the line that marks the limit."""

    width: int
    segments: list[Segment]
    limit: float


def stacked_bar(parts: Sequence[tuple[str, int]], limit: int) -> StackedBar:
    """Draws (key, amount) parts; the scale ends at the limit, or at their sum if it is larger."""
    width, total = 1000, max(limit, sum(amount for _, amount in parts), 1)
    segments, start = [], 0
    for key, amount in parts:
        segments.append(Segment(key, _scaled(start, total, width), _scaled(amount, total, width)))
        start += amount
    return StackedBar(width, segments, _scaled(limit, total, width))


def _scaled(amount: int, total: int, width: int) -> float:
    return round(amount / total * width, 2)


def count_in_words(count: int) -> str:
    """A rounded count in words: `174.6 billion`, `125.2 million`."""
    for unit, word in ((10**12, "trillion"), (10**9, "billion"), (10**6, "million")):
        if count >= unit:
            text = f"{count / unit:.1f}".removesuffix(".0")
            return f"{text} {word}"
    return f"{count:,}"
