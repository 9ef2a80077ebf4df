"""Forecasts when an application is answered, from the waiting times of recent ones."""

import math
import statistics
from dataclasses import dataclass
from datetime import date

from accounts.applications.models import Application
from accounts.review import working_days
from accounts.tiers.models import Tier

#: The maximum number of newest first answers in the sample, and the minimum for a forecast.
MAX_SAMPLE = 50
MIN_SAMPLE = 20
#: Percentage of applications that are answered by the forecast day.
COVERAGE = 80


@dataclass(frozen=True)
class Forecast:
    """The waiting times of the newest `count` first answers of a tier, in working days."""

    count: int
    median_days: float
    most_days: int

    def done_by(self, submitted_on: date) -> date:
        """Return the day by which 80 % of applications submitted on this date are answered."""
        return working_days.add(submitted_on, self.most_days)


@dataclass(frozen=True)
class Outlook:
    """The forecast for one application; fields are None if unknown or not applicable."""

    #: Waiting applications of the tier that were submitted earlier.
    ahead: int | None
    #: The day by which an answer is due; None while the applicant has to act.
    due_on: date | None
    forecast: Forecast | None
    done_by: date | None


def forecast(tier: Tier) -> Forecast | None:
    """Return the forecast of a tier in one query; None if it has fewer than 20 answers."""
    answered = Application.objects.filter(
        tier=tier, kind=Application.Kind.NEW, answered_at__isnull=False, submitted_at__isnull=False
    ).order_by("-answered_at")
    times = answered.values_list("submitted_at", "answered_at")[:MAX_SAMPLE]
    return from_waits(
        [
            working_days.between(working_days.utc_date(submitted), working_days.utc_date(answered))
            for submitted, answered in times
            if submitted is not None and answered is not None
        ]
    )


def from_waits(waits: list[int]) -> Forecast | None:
    """Return the forecast from waiting times in working days; None if there are too few.

    The rank includes the next application, so that the 80 % hold for it and not only for past ones
    (split conformal prediction).
    """
    if len(waits) < MIN_SAMPLE:
        return None
    rank = math.ceil((len(waits) + 1) * COVERAGE / 100)
    return Forecast(len(waits), statistics.median(waits), sorted(waits)[rank - 1])


def outlook(application: Application) -> Outlook:
    """Return the place in the queue and the forecast, in at most two queries."""
    if not application.is_waiting or application.submitted_at is None:
        return Outlook(None, None, None, None)
    ahead = _ahead_of(application)
    if application.answered_at is not None:  # resubmitted: `due_on` continues from the return
        return Outlook(ahead, application.due_on, None, None)
    expected = forecast(application.tier)
    submitted_on = working_days.utc_date(application.submitted_at)
    done_by = expected.done_by(submitted_on) if expected else None
    return Outlook(ahead, application.due_on, expected, done_by)


def _ahead_of(application: Application) -> int:
    waiting = Application.objects.waiting().filter(tier=application.tier_id)
    earlier = waiting.filter(submitted_at__lt=application.submitted_at)
    same = waiting.filter(submitted_at=application.submitted_at, pk__lt=application.pk)
    return (earlier | same).count()
