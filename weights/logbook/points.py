"""Points of a curve: validation, and their form in a text field. Plain Python.

Points are lists of [x, y] with rising x: a training step (int) or an ISO date, and a number.
"""

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

MIN_POINTS, MAX_POINTS = 2, 5000
_LARGEST = 10**15
_EXAMPLES = {True: "2021-11-17, 10", False: "1000, 7.25"}


def validate(points: Any, *, dated: bool) -> None:
    """Raises ValueError, which names the first bad point, for points that cannot be drawn."""
    if not isinstance(points, list) or not MIN_POINTS <= len(points) <= MAX_POINTS:
        raise ValueError(f"a curve has {MIN_POINTS} to {MAX_POINTS:,} points, one per line")
    previous = None
    for number, point in enumerate(points, start=1):
        if not (isinstance(point, list) and len(point) == 2 and _is_sound(*point, dated=dated)):
            raise ValueError(f"point {number} is not valid; write it as in “{_EXAMPLES[dated]}”")
        if previous is not None and point[0] <= previous:
            raise ValueError(
                f"point {number} ({point[0]}) must come after the one before it"
                f" ({previous}); sort the points, with at most one per"
                f" {'day' if dated else 'step'}"
            )
        previous = point[0]


def parse(text: str) -> list[list[Any]]:
    """Reads lines of `x, y`. Raises ValueError, which names the first bad line."""
    points = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        x, comma, y = (part.strip() for part in line.partition(","))
        try:
            points.append([int(x) if x.isdigit() else x, float(y)])
        except ValueError:
            comma = ""
        if not comma:
            raise ValueError(
                f"line {number} is not a point; write a step or date, a comma and the value"
            )
    return points


def as_text(points: Sequence[Sequence[Any]]) -> str:
    """The lines that `parse` reads."""
    return "\n".join(f"{x}, {y:.15g}" for x, y in points)


def _is_sound(x: Any, y: Any, *, dated: bool) -> bool:
    return _is_number(y) and (_is_date(x) if dated else _is_step(x))


def _is_step(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and abs(value) < _LARGEST


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
