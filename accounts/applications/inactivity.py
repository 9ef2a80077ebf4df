"""Drafts and returned applications of which nothing is heard: remind, then end.

Whatever the applicant saves breaks the silence.
"""

from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db.models.functions import Greatest

from accounts.applications.models import Application, ApplicationQuerySet
from accounts.applications.state_machine import Status
from accounts.background.one_by_one import one_by_one
from accounts.mail import messages

#: Days of silence after the return at which the applicant is first reminded.
FIRST_REMINDER = 7
#: How many days before the end the last reminder leaves.
WARNING = timedelta(days=7)


def lapse_returned(now: datetime) -> int:
    silent = _returned(now, settings.RETURN_SILENCE_DAYS)

    def lapse(application: Application) -> bool:
        application.lapse()
        return True

    return one_by_one("applications lapsed", silent, lapse)


def remind_returned(now: datetime) -> int:
    """On day 7, and 7 days before the end; after a pause of the sweeps only the later one."""
    acted = 0
    last = settings.RETURN_SILENCE_DAYS - WARNING.days
    for day, before in ((last, settings.RETURN_SILENCE_DAYS), (FIRST_REMINDER, last)):
        if 0 < day < before:
            silent = _returned(now, day, less_than=before)
            acted += one_by_one(
                "applicants reminded", silent, partial(messages.return_reminder, day=day)
            )
    return acted


def lapse_drafts(now: datetime) -> int:
    """Drafts silent for DRAFT_SILENCE_DAYS, if their owner was warned a week before.

    What is erased cannot come back: after a time without sweeps the warning comes first.
    """
    silent = _drafts(now - timedelta(days=settings.DRAFT_SILENCE_DAYS))

    def lapse(draft: Application) -> bool:
        warned_at = messages.draft_warned_at(draft)
        if warned_at is None or warned_at > now - WARNING:
            return False
        draft.lapse()
        return True

    return one_by_one("drafts lapsed", silent, lapse)


def warn_of_drafts(now: datetime) -> int:
    silent = _drafts(now - timedelta(days=settings.DRAFT_SILENCE_DAYS) + WARNING)
    warn = partial(messages.draft_warning, ends=now + WARNING)
    return one_by_one("drafts warned of", silent, warn)


def _returned(now: datetime, days: int, *, less_than: int | None = None) -> ApplicationQuerySet:
    """Returned ones of which nothing was heard for `days`, but not for `less_than` yet."""
    returned = Application.objects.filter(status=Status.RETURNED)
    quiet = returned.annotate(quiet_since=Greatest("returned_at", "saved_at")).filter(
        quiet_since__lte=now - timedelta(days=days)
    )
    if less_than is not None:
        quiet = quiet.filter(quiet_since__gt=now - timedelta(days=less_than))
    return quiet.select_related("tier")


def _drafts(saved_until: datetime) -> ApplicationQuerySet:
    drafts = Application.objects.filter(status=Status.DRAFT, saved_at__lte=saved_until)
    return drafts.select_related("applicant", "tier")
