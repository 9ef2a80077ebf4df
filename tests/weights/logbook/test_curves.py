"""Points of curves, their plots, and events pinned to them."""

from typing import Any

import pytest

from weights.logbook import points
from weights.web import curves


def test_points_survive_the_text_field() -> None:
    stored: list[list[Any]] = [["2021-11-11", 0.0], ["2021-11-17", 10.5]]
    assert points.parse(points.as_text(stored)) == stored
    assert points.parse("0, 11\n\n1000,7.25\n") == [[0, 11.0], [1000, 7.25]]


@pytest.mark.parametrize(
    ("text", "message"),
    [("1, 2\nx", "line 2 is not a point"), ("1, 2\n2, high", "line 2"), ("5", "line 1")],
)
def test_a_line_that_is_no_point_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        points.parse(text)


@pytest.mark.parametrize(
    ("stored", "dated", "message"),
    [
        ([[1, 2.0]], False, "2 to 5,000 points"),
        ("1, 2", False, "2 to 5,000 points"),
        ([[1, 2.0], [1, 3.0]], False, r"point 2 \(1\) must come after"),
        ([[2, 2.0], [1, 3.0]], False, "at most one per step"),
        ([[1, 2.0], ["x", 3.0]], False, "point 2 is not valid"),
        ([[1, 2.0], [2, float("nan")]], False, "point 2 is not valid"),
        ([[1, 2.0], [2, True]], False, "point 2 is not valid"),
        ([[1, 2.0], [10**16, 1.0]], False, "point 2 is not valid"),
        ([["2021-02-30", 1.0], ["2021-03-01", 2.0]], True, "point 1 is not valid"),
        ([[1, 1.0], [2, 2.0]], True, "2021-11-17, 10"),
    ],
)
def test_points_that_cannot_be_drawn_are_refused(stored: Any, dated: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        points.validate(stored, dated=dated)


def test_the_value_between_two_points_is_in_proportion() -> None:
    assert curves.value_at([(0, 0), (10, 100), (20, 50)], 5) == 50
    assert curves.value_at([(0, 0), (10, 100), (20, 50)], 20) == 50
    with pytest.raises(ValueError, match="outside"):
        curves.value_at([(0, 0), (10, 100)], 11)


def events(*positions: float) -> list[curves.Event]:
    return [
        curves.Event(number, x, f"event {number}", "/") for number, x in enumerate(positions, 1)
    ]


@pytest.mark.parametrize("wide", [True, False])
def test_pins_sit_on_the_curve_and_do_not_overlap(wide: bool) -> None:
    drawn = curves.curve([(0, 0), (100, 50)], events(0, 1, 1, 50, 100, 101), str, wide=wide)
    assert [pin.event.number for pin in drawn.pins] == [1, 2, 3, 4, 5]  # 101 lies outside
    middle = drawn.pins[3]
    assert middle.x == pytest.approx((drawn.left + drawn.right) / 2, abs=0.1)
    assert drawn.path.startswith(f"M{drawn.left:.1f} {drawn.bottom:.1f}L{drawn.right:.1f} ")
    for one in drawn.pins:
        assert one.row < one.y <= drawn.bottom
        for other in drawn.pins:
            apart = abs(one.x - other.x) >= 2 * drawn.radius or abs(one.row - other.row) >= 22
            assert one is other or apart


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ((0, 100), ["0", "25", "50", "75", "100"]),
        ((11.2, 2.3), ["0", "5", "10", "15"]),
        ((0.00012, 0.00001), ["0", "0.00005", "0.0001", "0.00015"]),
        ((-3, 3), ["-4", "-2", "0", "2", "4"]),
        ((0, 0), ["0", "0.25"]),
    ],
)
def test_the_vertical_axis_encloses_zero_and_the_values(
    values: tuple[float, float], ticks: list[str]
) -> None:
    drawn = curves.curve([(0, values[0]), (1, values[1])], [], str, wide=True)
    assert [text for _, text in drawn.y_ticks] == ticks


def test_a_long_curve_is_sampled_with_both_ends() -> None:
    long = [(float(x), 1.0) for x in range(1000)]
    sampled = curves.sample(long, 60)
    assert len(sampled) == 60
    assert (sampled[0], sampled[-1]) == (long[0], long[-1])
    assert curves.sample(long[:60], 60) == long[:60]
