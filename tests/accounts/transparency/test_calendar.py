"""The calendar of checks: days by week, levels, failures."""

from datetime import date

from accounts.transparency.calendar import calendars

TODAY = date(2027, 3, 19)  # a Friday
ROWS = [
    {"day": "2027-03-19", "blobs": 40, "failures": 0},
    {"day": "2027-03-15", "blobs": 10, "failures": 2},
    {"day": "2020-01-01", "blobs": 999, "failures": 9},
]


def test_each_day_has_one_square_and_failures_are_marked() -> None:
    wide, tall = calendars(ROWS, TODAY)
    squares = {level: path.count("z") for level, path in wide.paths}
    assert squares == {0: 52 * 7 + 5 - 2, 1: 1, 4: 1}
    [failure] = wide.failures
    assert failure.title == "2 failed on 2027-03-15"
    # A Monday of the last week: the first row of the last column.
    assert (failure.x, failure.y) == (40 + 52 * 18, 24)
    assert sum(path.count("z") for _, path in tall.paths) == 15 * 7 + 5


def test_it_is_described_in_words_without_days_outside_of_it() -> None:
    for calendar in calendars(ROWS, TODAY):
        assert "50 readings on 2 days, 2 failed checks" in calendar.description


def test_without_a_check_every_day_is_empty() -> None:
    for calendar in calendars([], TODAY):
        assert [level for level, _ in calendar.paths] == [0]
        assert calendar.failures == []
