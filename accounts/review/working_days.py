"""The calendar of working days, by which deadlines are counted.

`WORK_CALENDAR` names a country or a part of one (`DE`, `US-CA`), whose public holidays do not
count. Without it, only Saturdays and Sundays do not count. Days are in UTC.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import holidays
from django.conf import settings
from django.utils import timezone


def add(day: date, count: int) -> date:
    """Return the day `count` working days after `day`, or before it for a negative count."""
    return _calendar().get_nth_working_day(day, count) if count else day


def between(start: date, end: date) -> int:
    """Return the number of working days after `start`, up to and including `end`.

    Negative if `end` is before `start`.
    """
    if end < start:
        return -between(end, start)
    counted = _calendar().get_working_days_count(start, end)
    return counted - int(_calendar().is_working_day(start))


def deadline(start: datetime, count: int) -> datetime:
    """Return the same time of day, `count` working days after `start`."""
    return datetime.combine(add(utc_date(start), count), start.astimezone(UTC).timetz())


def is_working_day(day: date) -> bool:
    return bool(_calendar().is_working_day(day))


def utc_date(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def end_of_day(days: int) -> datetime:
    """Return the last minute of the day `days` after today, when a grant of that length ends.

    Grants end with a day, so that a previewed mail equals the mail sent after the decision.
    """
    last = utc_date(timezone.now()) + timedelta(days=days)
    return datetime.combine(last, time(23, 59), UTC)


def _calendar() -> holidays.HolidayBase:
    return _load_calendar(settings.WORK_CALENDAR)


@lru_cache(maxsize=4)
def _load_calendar(name: str) -> holidays.HolidayBase:
    country, _, part = name.partition("-")
    if not country:
        return holidays.HolidayBase()
    return holidays.country_holidays(country, subdiv=part or None)
