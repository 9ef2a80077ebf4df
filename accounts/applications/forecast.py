"""When will I hear? What an applicant is told, from how long the last ones waited."""

import math
import statistics
from dataclasses import dataclass
from datetime import date

from accounts.applications.models import Application
from accounts.review import working_days
from accounts.tiers.models import Tier

#: The newest first answers that count, and the fewest from which anything is foretold.
COUNTED = 50
LEAST = 20
#: Of a hundred applications, how many should be answered by the day that is named.
SHARE = 80


@dataclass(frozen=True)
class Forecast:
    """How long the newest `count` first answers of a tier took, in working days."""

    count: int
    median_days: float
    most_days: int

    def done_by(self, submitted_on: date) -> date:
        """The day by which 80 % of applications sent on `submitted_on` have an answer."""
        return working_days.add(submitted_on, self.most_days)


@dataclass(frozen=True)
class Outlook:
    """What one application's page says; None where there is nothing honest to say."""

    #: Applications of the tier that were sent earlier and still wait.
    ahead: int | None
    #: The day by which an answer is due; none while the clock rests.
    due_on: date | None
    forecast: Forecast | None
    done_by: date | None


def forecast(tier: Tier) -> Forecast | None:
    """None under 20 answers: then only the target is shown. One query."""
    answered = Application.objects.filter(
        tier=tier, kind=Application.Kind.NEW, answered_at__isnull=False, submitted_at__isnull=False
    ).order_by("-answered_at")
    moments = answered.values_list("submitted_at", "answered_at")[:COUNTED]
    return of_days(
        [
            working_days.between(working_days.utc_date(sent), working_days.utc_date(answered))
            for sent, answered in moments
            if sent is not None and answered is not None
        ]
    )


def of_days(waits: list[int]) -> Forecast | None:
    """The forecast from these waits.

    The rank counts the next application among them, so that 80 % holds for it too and not
    only for the past (split conformal prediction).
    """
    if len(waits) < LEAST:
        return None
    rank = math.ceil((len(waits) + 1) * SHARE / 100)
    return Forecast(len(waits), statistics.median(waits), sorted(waits)[rank - 1])


def outlook(application: Application) -> Outlook:
    """Place in the queue and what to expect; two queries at most."""
    if not application.is_waiting or application.submitted_at is None:
        return Outlook(None, None, None, None)
    ahead = _ahead_of(application)
    if application.answered_at is not None:  # sent again: its clock goes on where it stopped
        return Outlook(ahead, application.due_on, None, None)
    known = forecast(application.tier)
    sent_on = working_days.utc_date(application.submitted_at)
    return Outlook(ahead, application.due_on, known, known.done_by(sent_on) if known else None)


def _ahead_of(application: Application) -> int:
    waiting = Application.objects.waiting().filter(tier=application.tier_id)
    earlier = waiting.filter(submitted_at__lt=application.submitted_at)
    same = waiting.filter(submitted_at=application.submitted_at, pk__lt=application.pk)
    return (earlier | same).count()
