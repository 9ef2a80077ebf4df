"""Suppresses small counts, so that none can be derived from the published numbers.

A count of 1 to 4 is shown as `<5`. A total is the sum of the shown counts, so it reveals nothing
about the others. A number that is part of another, or must equal another, is withheld (None) if
both together would reveal a small count. A withheld number is either implied by the shown numbers
or leaves several values possible.

Two copies taken at different times reveal no more. A month's numbers are published once it is over,
so they do not change. Numbers of the current state do change: they are rounded down to multiples of
MIN_SHOWN, so that the difference between two copies is never the number of changes.
"""

import math
import statistics
from collections.abc import Iterable, Mapping

from accounts.transparency.counting import OUTCOMES, MonthCounts

MIN_SHOWN = 5
SMALL = "<5"

#: A count, `<5`, or None if it is withheld.
Cell = int | str | None


def cell(number: int) -> Cell:
    return SMALL if 0 < number < MIN_SHOWN else number


def rounded(number: Cell) -> Cell:
    """Round a shown count down to a multiple of MIN_SHOWN; return others unchanged."""
    return number - number % MIN_SHOWN if isinstance(number, int) else number


def shown(cells: Iterable[Cell]) -> int:
    """Return the sum of the shown counts."""
    return sum(cell for cell in cells if isinstance(cell, int))


def hidden(cells: Iterable[Cell]) -> int:
    """Return the number of `<5` cells."""
    return sum(cell == SMALL for cell in cells)


def part(number: int, whole: int, small: int = 0) -> Cell:
    """Return the cell of a number that is part of the shown total `whole` and `small` hidden cells.

    The rest must also be 0 or at least MIN_SHOWN, whatever the hidden cells are.
    """
    rest = whole - number
    is_rest_safe = rest >= MIN_SHOWN or (rest == 0 and not small)
    if 0 < number < MIN_SHOWN:
        # With a whole of 6 only 5 would be withheld, which would reveal that the rest is 1.
        return None if not small and whole == MIN_SHOWN + 1 else SMALL
    return number if is_rest_safe else None


def outcomes(month: MonthCounts) -> dict[str, Cell]:
    return {name: cell(month.outcomes[name]) for name in OUTCOMES}


def appeals(month: MonthCounts) -> dict[str, Cell]:
    return {name: cell(month.appeals[name]) for name in OUTCOMES}


def returned(month: MonthCounts) -> Cell:
    """Return the number of applications returned at least once, which includes all that lapsed."""
    cells = outcomes(month)
    lapsed = cells["lapsed"]
    result = part(month.returned, shown(cells.values()), hidden(cells.values()))
    if isinstance(lapsed, int) and lapsed and 0 < month.returned - lapsed < MIN_SHOWN:
        return None
    return result


def reasons(month: MonthCounts, verdict: str) -> dict[str, Cell]:
    """Return reason code -> applications rejected or returned; empty if their number is not shown.

    Each application has at least one code, so the numbers add up to at least the base. A small
    number that this would bound from below is withheld, like a number with a small rest.
    """
    base = outcomes(month)["rejected"] if verdict == "reject" else returned(month)
    if not isinstance(base, int):
        return {}
    numbers = dict(sorted(month.reasons[verdict].items()))
    safe = {
        code: number
        for code, number in numbers.items()
        if number >= MIN_SHOWN and (number == base or base - number >= MIN_SHOWN)
    }
    others = [number for code, number in numbers.items() if code not in safe]
    is_bounded = base - sum(safe.values()) > (MIN_SHOWN - 1) * (len(others) - 1) + 1
    # With a base of 6 only 5 would be withheld for its rest, which would reveal it.
    all_small = max(others, default=0) < MIN_SHOWN and base != MIN_SHOWN + 1
    other = SMALL if all_small and not is_bounded else None
    return {code: safe.get(code, other) for code in numbers}


def waits(month: MonthCounts) -> tuple[float | None, int | None]:
    """Return median and 90th percentile of days to the first answer; None below 5 decisions."""
    cells = outcomes(month)
    if shown([cells["approved"], cells["rejected"]]) < MIN_SHOWN or len(month.waits) < MIN_SHOWN:
        return None, None
    ranked = sorted(month.waits)
    return statistics.median(ranked), ranked[math.ceil(0.9 * len(ranked)) - 1]


def grants(states: Mapping[str, int], approved: list[Cell]) -> dict[str, Cell]:
    """Return grants by state; `approved` are the tier's published cells of approvals.

    Usually each approval created one grant, so both sums are equal. All states are withheld
    unless every hidden cell on either side could still have any value from 1 to 4.
    """
    cells = {name: cell(number) for name, number in states.items()}
    difference = shown(approved) - shown(cells.values())
    if _all_free(hidden(approved), hidden(cells.values()), difference):
        return cells
    return dict.fromkeys(cells)


def _all_free(left: int, right: int, difference: int) -> bool:
    """True if each hidden cell could have every value from 1 to 4.

    There are `left` and `right` hidden cells, with sum(right) - sum(left) = difference.
    """
    most = MIN_SHOWN - 1
    left_free = all(
        right - most * (left - 1) <= difference + value <= most * right - (left - 1)
        for value in (1, most)
    )
    right_free = all(
        (right - 1) - most * left <= difference - value <= most * (right - 1) - left
        for value in (1, most)
    )
    return (not left or left_free) and (not right or right_free)
