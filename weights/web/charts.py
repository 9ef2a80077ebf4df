"""Places of the marks of our charts; templates draw them as SVG: plain Python, no records."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_DECADES = [
    (10**8, "100 million"),
    (10**9, "1 billion"),
    (10**10, "10 billion"),
    (10**11, "100 billion"),
]


#: Half the side of a gated mark, before it stands on its corner.
_HALF = 7


@dataclass(frozen=True)
class Mark:
    """One checkpoint on the scale; (`x`, `y`) is the middle of its mark, in the chart's units."""

    x: float
    y: float
    label: str
    value: str
    address: str
    gated: bool
    #: Where the label begins (standing), or the line it stands on (lying).
    text: float

    @property
    def left(self) -> float:
        return self.x - _HALF

    @property
    def top(self) -> float:
        return self.y - _HALF

    @property
    def stem(self) -> float:
        """Where the line from the label to the mark begins, in a lying chart."""
        return self.text + 8


@dataclass(frozen=True)
class Scale:
    """Parameters on a log scale. `axis` is where its line stands, `ticks` (place, text)."""

    width: int
    height: int
    axis: float
    ticks: list[tuple[float, str]]
    marks: list[Mark]


#: Label, parameters, address, gated.
Row = tuple[str, int, str, bool]


def parameters_wide(rows: Sequence[Row]) -> Scale:
    """From left to right; neighbouring labels stand on different lines."""
    width, height, left, right, axis = 1000, 190, 70, 60, 130
    lines = (60, 95, 25)

    def place(parameters: int) -> float:
        return round(left + (width - left - right) * _fraction(parameters), 1)

    marks = [
        Mark(place(count), axis, label, short(count), address, gated, lines[index % 3])
        for index, (label, count, address, gated) in enumerate(rows)
    ]
    return Scale(width, height, axis, [(place(value), text) for value, text in _DECADES], marks)


def parameters_tall(rows: Sequence[Row]) -> Scale:
    """The same from top to bottom, for narrow screens."""
    width, height, edge, axis = 340, 470, 25, 120

    def place(parameters: int) -> float:
        return round(edge + (height - 2 * edge) * _fraction(parameters), 1)

    marks = [
        Mark(axis, place(count), label, short(count), address, gated, axis + 20)
        for label, count, address, gated in rows
    ]
    return Scale(width, height, axis, [(place(value), text) for value, text in _DECADES], marks)


@dataclass(frozen=True)
class ShardPicture:
    """All shards as one drawing: a path of SVG for each kind of state."""

    parts: int
    shards: int
    verified: int
    width: int
    height: int
    paths: list[tuple[str, str]]


#: Step from shard to shard and from part to part, and the cell inside it.
_STEP_X, _STEP_Y, _CELL_X, _CELL_Y = 6, 14, 4, 11


def shard_picture(
    files: Sequence[tuple[int | None, int | None, str]],
) -> ShardPicture | None:
    """Files as (part, shard, kind of state); None below two parts of two shards."""
    placed = [
        (part, shard, kind) for part, shard, kind in files if part is not None and shard is not None
    ]
    parts = sorted({part for part, _, _ in placed})
    shards = sorted({shard for _, shard, _ in placed})
    if len(parts) < 2 or len(shards) < 2:
        return None
    row = {part: place for place, part in enumerate(parts)}
    column = {shard: place for place, shard in enumerate(shards)}
    paths: dict[str, list[str]] = {}
    for part, shard, kind in placed:
        corner = f"M{column[shard] * _STEP_X + 1} {row[part] * _STEP_Y + 1}"
        paths.setdefault(kind, []).append(f"{corner}h{_CELL_X}v{_CELL_Y}h-{_CELL_X}z")
    return ShardPicture(
        parts=len(parts),
        shards=len(shards),
        verified=len(paths.get("verified", [])),
        width=len(shards) * _STEP_X + 2,
        height=len(parts) * _STEP_Y + 2,
        paths=[(kind, "".join(cells)) for kind, cells in sorted(paths.items())],
    )


def _fraction(parameters: int) -> float:
    """0 at a hundred million, 1 at two hundred billion."""
    low, high = 8.0, math.log10(2 * 10**11)
    return min(max((math.log10(max(parameters, 1)) - low) / (high - low), 0.0), 1.0)


def short(count: int) -> str:
    """A count as people say it: `174.6 billion`, `125.2 million`."""
    for unit, word in ((10**12, "trillion"), (10**9, "billion"), (10**6, "million")):
        if count >= unit:
            text = f"{count / unit:.1f}".removesuffix(".0")
            return f"{text} {word}"
    return f"{count:,}"
