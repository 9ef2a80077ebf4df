"""Hide small numbers so that nothing published lets anybody work them out: plain Python.

Three rules. A count of 1 to 4 is shown as `<5`. A total is the sum of what is shown, so it
says nothing of what is not. And a number that is part of another one, or must equal one, is
withheld (None) where the two together would give a small number away. Whether something is
withheld follows from what is shown, or leaves several values possible.
"""

import math
import statistics
from collections.abc import Iterable, Mapping

from accounts.transparency.counting import OUTCOMES, Row

LEAST = 5
SMALL = "<5"

#: A number, `<5`, or None where it is withheld.
Cell = int | str | None


def cell(number: int) -> Cell:
    return SMALL if 0 < number < LEAST else number


def shown(cells: Iterable[Cell]) -> int:
    """The sum of what is shown."""
    return sum(one for one in cells if isinstance(one, int))


def hidden(cells: Iterable[Cell]) -> int:
    """How many cells are 1 to 4."""
    return sum(one == SMALL for one in cells)


def part(number: int, whole: int, small: int = 0) -> Cell:
    """A number that counts some of the `whole` that is shown, or of `small` hidden cells.

    The rest must be none or enough too, whatever the hidden cells are.
    """
    rest = whole - number
    fits = rest >= LEAST or (rest == 0 and not small)
    if 0 < number < LEAST:
        # Of six, five withheld and four shown as <5 would tell that the rest is one.
        return None if not small and whole == LEAST + 1 else SMALL
    return number if fits else None


def outcomes(row: Row) -> dict[str, Cell]:
    return {name: cell(row.outcomes[name]) for name in OUTCOMES}


def returned(row: Row) -> Cell:
    """How many were returned at least once; whoever lapsed was, so that is a part of it."""
    cells = outcomes(row)
    lapsed = cells["lapsed"]
    found = part(row.returned, shown(cells.values()), hidden(cells.values()))
    if isinstance(lapsed, int) and lapsed and 0 < row.returned - lapsed < LEAST:
        return None
    return found


def reasons(row: Row, verdict: str) -> dict[str, Cell]:
    """Codes of the rejected, or of the returned; none at all where their number is not shown.

    Each of those has at least one code, so the numbers add up to no less than the base. Where
    that would push a small one up, it is withheld like one whose rest is small.
    """
    base = outcomes(row)["rejected"] if verdict == "reject" else returned(row)
    if not isinstance(base, int):
        return {}
    numbers = dict(sorted(row.why[verdict].items()))
    told = {
        code: number
        for code, number in numbers.items()
        if number >= LEAST and (number == base or base - number >= LEAST)
    }
    others = [number for code, number in numbers.items() if code not in told]
    pushed = base - sum(told.values()) > (LEAST - 1) * (len(others) - 1) + 1
    # Of a base of six, only five would be withheld for its rest.
    small = max(others, default=0) < LEAST and base != LEAST + 1
    word = SMALL if small and not pushed else None
    return {code: told.get(code, word) for code in numbers}


def waits(row: Row) -> tuple[float | None, int | None]:
    """Median and 90th percentile of working days to the first answer, where five were decided."""
    cells = outcomes(row)
    if shown([cells["approved"], cells["rejected"]]) < LEAST or len(row.waits) < LEAST:
        return None, None
    ranked = sorted(row.waits)
    return statistics.median(ranked), ranked[math.ceil(0.9 * len(ranked)) - 1]


def grants(states: Mapping[str, int], approved: list[Cell]) -> dict[str, Cell]:
    """Grants by state; `approved` are the shown cells of the same tier, one a month.

    As a rule each approval made one grant, so both sums are the same. All states are
    withheld unless each hidden cell on either side could still be anything from 1 to 4.
    """
    cells = {name: cell(number) for name, number in states.items()}
    told = shown(approved) - shown(cells.values())
    if _all_free(hidden(approved), hidden(cells.values()), told):
        return cells
    return dict.fromkeys(cells)


def _all_free(ours: int, theirs: int, difference: int) -> bool:
    """Whether (sum of their cells) - (sum of ours) = difference leaves each cell all of 1 to 4."""
    most = LEAST - 1
    values = (1, most)
    mine = all(
        theirs - most * (ours - 1) <= difference + value <= most * theirs - (ours - 1)
        for value in values
    )
    others = all(
        (theirs - 1) - most * ours <= difference - value <= most * (theirs - 1) - ours
        for value in values
    )
    return (not ours or mine) and (not theirs or others)
