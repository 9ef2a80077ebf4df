"""Stacked bars: one scale from zero, parts side by side, a label for each."""

import pytest

from accounts.web.bar_charts import Bar, Part, bar_chart, ticks


@pytest.mark.parametrize("high", [0, 0.3, 1, 3, 4.9, 5, 6, 99, 100, 101, 552, 1234567])
@pytest.mark.parametrize("most", [4, 6])
def test_ticks_are_round_whole_and_few_and_reach_the_largest_value(high: float, most: int) -> None:
    values = ticks(high, most)
    assert values[0] == 0
    assert values[-1] >= high
    assert 2 <= len(values) <= most + 1
    assert all(value == round(value) for value in values)


def test_parts_stand_side_by_side_in_proportion() -> None:
    bars = [
        Bar("first", [Part("a", 6, "6 a"), Part("b", 4, "4 b"), Part("c", 0, "0 c")], "10"),
        Bar("second", [Part("a", 0.001, "little")], "0.001"),
    ]
    chart = bar_chart("key", "Title", bars, unit="tonnes", limit=5)
    for drawing in (chart.wide, chart.tall):
        first, second = drawing.rows
        a, b = first.rects
        assert a.x == drawing.left
        assert b.x == pytest.approx(a.x + a.width)
        assert b.x + b.width <= drawing.right <= drawing.width
        assert a.width / b.width == pytest.approx(1.5, rel=0.01)
        assert drawing.limit == pytest.approx(drawing.left + (a.width + b.width) / 2, abs=0.2)
        assert second.rects[0].width == 2.0
        assert second.top + drawing.thickness <= drawing.bottom < drawing.height
    assert chart.description == "first: 10; second: 0.001. In tonnes."
