"""Days on which somebody is at work: the calendar that the clocks count by.

`WORK_CALENDAR` names a country or a part of one (`DE`, `US-CA`) whose public holidays are
free; empty, only Saturdays and Sundays are. Days are those of UTC.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import holidays
from django.conf import settings
from django.utils import timezone


def add(day: date, count: int) -> date:
    """The working day that is `count` working days after `day`; before it when negative."""
    return _calendar().get_nth_working_day(day, count) if count else day


def between(start: date, end: date) -> int:
    """Working days after `start` up to and with `end`; negative when `end` comes first."""
    if end < start:
        return -between(end, start)
    counted = _calendar().get_working_days_count(start, end)
    return counted - int(_calendar().is_working_day(start))


def later(moment: datetime, count: int) -> datetime:
    """The same time of day, `count` working days after."""
    return datetime.combine(add(day_of(moment), count), moment.astimezone(UTC).timetz())


def is_one(day: date) -> bool:
    return bool(_calendar().is_working_day(day))


def day_of(moment: datetime) -> date:
    """The day of a moment, as the clocks see it."""
    return moment.astimezone(UTC).date()


def end_of_day(days: int) -> datetime:
    """The last minute of the day that is `days` after today: when a grant of so many days ends.

    A whole day, so that a mail read before a decision and the one sent after it agree.
    """
    last = day_of(timezone.now()) + timedelta(days=days)
    return datetime.combine(last, time(23, 59), UTC)


def _calendar() -> holidays.HolidayBase:
    return _calendar_of(settings.WORK_CALENDAR)


@lru_cache(maxsize=4)
def _calendar_of(name: str) -> holidays.HolidayBase:
    country, _, part = name.partition("-")
    if not country:
        return holidays.HolidayBase()
    return holidays.country_holidays(country, subdiv=part or None)
