"""The clocks count working days: weekends, holidays, pauses, summer time and leap days."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from pytest_django import Settings

from accounts.applications.workflow import decisions, submission
from accounts.review import working_days
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.one_database

FRIDAY = date(2027, 2, 5)


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        ("2027-02-05", 1, "2027-02-08"),  # Friday, and over the weekend
        ("2027-02-06", 1, "2027-02-08"),  # from a Saturday the first day is Monday
        ("2027-02-07", 5, "2027-02-12"),
        ("2027-02-08", 5, "2027-02-15"),
        ("2027-02-08", 0, "2027-02-08"),
        ("2027-02-06", 0, "2027-02-06"),
        ("2027-02-08", -1, "2027-02-05"),
        ("2028-02-28", 1, "2028-02-29"),  # a leap day is a day
        ("2028-02-25", 5, "2028-03-03"),
        ("2027-02-26", 1, "2027-03-01"),  # and where there is none, none is counted
        ("2026-12-31", 1, "2027-01-01"),  # without a calendar New Year is worked on
        ("2027-03-26", 1, "2027-03-29"),  # over the change to summer time in Europe
        ("2027-10-29", 1, "2027-11-01"),
    ],
)
def test_days_are_added_over_weekends_and_leap_days(start: str, count: int, end: str) -> None:
    assert str(working_days.add(date.fromisoformat(start), count)) == end


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        ("2027-02-05", "2027-02-05", 0),
        ("2027-02-05", "2027-02-08", 1),
        ("2027-02-06", "2027-02-07", 0),
        ("2027-02-06", "2027-02-08", 1),
        ("2027-02-08", "2027-02-05", -1),
        ("2028-02-28", "2028-03-01", 2),
        ("2026-02-27", "2026-03-02", 1),
    ],
)
def test_days_between_are_counted_after_the_first_and_with_the_last(
    start: str, end: str, count: int
) -> None:
    found = working_days.between(date.fromisoformat(start), date.fromisoformat(end))
    assert found == count


@pytest.mark.parametrize(
    ("calendar", "start", "end"),
    [
        ("", "2026-12-24", "2026-12-25"),
        ("DE", "2026-12-24", "2026-12-28"),  # both days of Christmas, and the weekend
        ("US", "2026-12-24", "2026-12-28"),
        ("DE-BY", "2027-01-05", "2027-01-07"),  # Epiphany is free in Bavaria
        ("DE-BE", "2027-01-05", "2027-01-06"),  # and worked on in Berlin
    ],
)
def test_the_holidays_of_the_calendar_are_free(
    settings: Settings, calendar: str, start: str, end: str
) -> None:
    settings.WORK_CALENDAR = calendar
    assert str(working_days.add(date.fromisoformat(start), 1)) == end


def test_adding_and_counting_agree_for_four_years(settings: Settings) -> None:
    settings.WORK_CALENDAR = "DE"
    for offset in range(0, 4 * 366, 11):
        day = date(2026, 1, 1) + timedelta(days=offset)
        for count in (1, 2, 5, 10):
            assert working_days.between(day, working_days.add(day, count)) == count


@pytest.fixture(params=["America/New_York", "Asia/Kolkata", "Pacific/Kiritimati"])
def machine_zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The zone of the machine's own clock, which must not matter."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def test_a_time_belongs_to_its_day_in_utc_whatever_the_time_zone(machine_zone: str) -> None:
    late = datetime(2027, 3, 14, 23, 59, 59, tzinfo=UTC)  # a Sunday of changing clocks
    assert working_days.utc_date(late) == date(2027, 3, 14)
    assert working_days.deadline(late, 1) == datetime(2027, 3, 15, 23, 59, 59, tzinfo=UTC)


def test_later_keeps_the_time_of_day_over_a_weekend() -> None:
    claimed = datetime(2027, 2, 5, 16, 30, tzinfo=UTC)
    assert working_days.deadline(claimed, 2) == datetime(2027, 2, 9, 16, 30, tzinfo=UTC)


@pytest.mark.slow
@pytest.mark.django_db
def test_the_clock_of_an_application_rests_over_each_return(
    gated_tier: Tier, applicant: User, reviewer: User, settings: Settings
) -> None:
    """Two returns, one on the last day of February of a leap year, one already overdue."""
    settings.WORK_CALENDAR = "DE"
    sha = factories.in_force(gated_tier).text_sha256
    remarks = {"abstract": "Say more."}
    with time_machine.travel("2028-02-25 23:30Z", tick=False) as clock:  # a Friday
        application = factories.submitted(applicant, gated_tier)
        assert str(application.due_on) == "2028-03-03"
        clock.move_to("2028-02-29 00:30Z")  # a Tuesday, two working days on
        decisions.return_for_changes(
            application, by=reviewer, reasons=["incomplete"], remarks=remarks
        )
        assert (application.due_on, application.days_left) == (None, 3)
        clock.move_to("2028-04-13 09:00Z")  # Thursday before Easter
        submission.submit(application, by=applicant, licence_sha256=sha)
        assert str(application.due_on) == "2028-04-20"  # Friday and Monday are free
        clock.move_to("2028-04-24 09:00Z")  # two working days late
        decisions.return_for_changes(
            application, by=reviewer, reasons=["incomplete"], remarks=remarks
        )
        assert application.days_left == -2
        clock.move_to("2028-05-02 09:00Z")  # the day after Labour Day
        submission.submit(application, by=applicant, licence_sha256=sha)
        assert str(application.due_on) == "2028-04-27"  # overdue at once
