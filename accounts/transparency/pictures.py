"""Charts of the published tables.

They are drawn only from suppressed rows. A number that is not shown is a hatched part of fixed
width.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.conf import settings

from accounts.review.reasons import Reason
from accounts.transparency.counting import OUTCOMES
from accounts.transparency.suppression import SMALL, Cell, hidden, shown
from accounts.web.bar_charts import Bar, BarChart, Part, bar_chart

Row = dict[str, Any]

#: The number of months in a chart; the table has all.
MONTHS = 12
_HIDDEN_WIDTH = 2.5
_HIDDEN = ("hidden", "Fewer than 5: not shown")
_VERDICTS = {"reject": "Reasons for rejections", "return": "Reasons for returns"}


def outcomes(rows: Sequence[Row]) -> list[BarChart]:
    """Return a chart per tier: outcomes by month, stacked."""
    return [
        bar_chart(
            f"outcomes-{tier}",
            f"Closed applications to the tier {tier}, by month and outcome",
            [_outcome_bar(row) for row in months],
            unit="applications",
            legend=[*((name, name.capitalize()) for name in OUTCOMES), _HIDDEN],
        )
        for tier, months in _by_tier(rows)
    ]


def waits(rows: Sequence[Row]) -> list[BarChart]:
    """Return a chart per tier: median and 90th percentile of days to the first answer, by month."""
    return [
        bar_chart(
            f"waits-{tier}",
            f"Working days to the first answer in the tier {tier}, by month",
            [_wait_bar(row) for row in months],
            unit="working days",
            legend=[("amount", "Up to the median"), ("range", "From there to 90 %")],
            limit=settings.ANSWER_DAYS,
        )
        for tier, months in _by_tier(rows)
        if any(row["median_days"] is not None for row in months)
    ]


def reasons(rows: Sequence[Row]) -> list[BarChart]:
    """Return a chart per verdict: applications by reason, all months and tiers together."""
    charts = []
    for verdict, title in _VERDICTS.items():
        cells: dict[str, list[Cell]] = {}
        for row in rows:
            if row["verdict"] == verdict:
                cells.setdefault(row["code"], []).append(row["applications"])
        bars = [_reason_bar(code, cells[code]) for code in sorted(cells, key=_by_size(cells))]
        if bars:
            legend = [("amount", "Applications"), _HIDDEN]
            charts.append(
                bar_chart(
                    f"reasons-{verdict}",
                    title,
                    bars,
                    unit="applications",
                    legend=legend,
                    label_width=400,
                )
            )
    return charts


def _by_tier(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Return the newest months of each tier, oldest first."""
    tiers = sorted({row["tier"] for row in rows})
    return [(tier, [row for row in rows if row["tier"] == tier][-MONTHS:]) for tier in tiers]


def _by_size(cells: dict[str, list[Cell]]) -> Callable[[str], tuple[int, str]]:
    """Return a sort key for codes: largest shown number first."""
    return lambda code: (-shown(cells[code]), code)


def _outcome_bar(row: Row) -> Bar:
    cells: dict[str, Cell] = {name: row[name] for name in OUTCOMES}
    parts = [
        Part(name, number, f"{number} {name}")
        for name, number in cells.items()
        if isinstance(number, int) and number
    ]
    parts += [
        _hidden_part(f"fewer than 5 {name}") for name, number in cells.items() if number == SMALL
    ]
    return Bar(row["month"], parts, _total(cells.values()))


def _wait_bar(row: Row) -> Bar:
    median, p90 = row["median_days"], row["p90_days"]
    if median is None:
        return Bar(row["month"], [], "fewer than 5")
    parts = [
        Part("amount", median, f"median {median:g}"),
        Part("range", p90 - median, f"90 % within {p90:g}"),
    ]
    return Bar(row["month"], parts, f"median {median:g}, 90 % in {p90:g}")


def _reason_bar(code: str, cells: Sequence[Cell]) -> Bar:
    label = str(dict(Reason.choices).get(code, code))
    number = shown(cells)
    parts = [Part("amount", number, f"{number} applications")] if number else []
    parts += [_hidden_part("a number that is not shown") for cell in cells if cell in {SMALL, None}]
    return Bar(label, parts, _total(cells))


def _hidden_part(title: str) -> Part:
    return Part("hidden", _HIDDEN_WIDTH, title)


def _total(cells: Iterable[Cell]) -> str:
    """Return `13`, `13 + <5` or `13 + 2 × <5`; `–` stands for withheld numbers."""
    listed = list(cells)
    small, number = hidden(listed), shown(listed)
    texts = [str(number)] if number or not small else []
    if small:
        texts.append(SMALL if small == 1 else f"{small} × {SMALL}")
    if None in listed:
        texts = [*(text for text in texts if text != "0"), "–"]
    return " + ".join(texts)
