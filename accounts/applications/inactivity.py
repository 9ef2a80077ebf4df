"""Reminds applicants of untouched drafts and returned applications, then lapses these.

Whenever the applicant saves something, the count of days restarts.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db.models.functions import Greatest
from django.utils import timezone

from accounts.applications import messages
from accounts.applications.models import Application, ApplicationQuerySet
from accounts.applications.transition_table import Status
from accounts.applications.workflow.audited import transition
from accounts.background.periodic import each_locked

#: Days of inactivity after which the applicant is first reminded.
FIRST_REMINDER = 7
#: The last reminder is sent this long before the application lapses.
WARNING = timedelta(days=7)


@transition
def lapse(application: Application) -> None:
    """Lapse an inactive application; if it is a draft, erase its answers and documents."""
    was_draft = application.status == Status.DRAFT
    changes: dict[str, Any] = {"answers": {}} if was_draft else {}
    application.transition("lapse", by=None, decided_at=timezone.now(), **changes)
    if was_draft:
        application.attachments.all().delete()
    messages.application_lapsed(application, was_draft=was_draft)


def lapse_returned(now: datetime) -> int:
    """Lapse returned applications untouched for RETURN_SILENCE_DAYS. Returns how many."""

    def act(application: Application) -> bool:
        lapse(application)
        return True

    return each_locked("applications lapsed", _returned(now, settings.RETURN_SILENCE_DAYS), act)


def remind_returned(now: datetime) -> int:
    """Send the reminders on day 7 and 7 days before the end. Returns how many.

    If the sweeps were paused, only the later one is sent.
    """
    acted = 0
    last = settings.RETURN_SILENCE_DAYS - WARNING.days
    for day, before in ((last, settings.RETURN_SILENCE_DAYS), (FIRST_REMINDER, last)):
        if 0 < day < before:
            idle = _returned(now, day, less_than=before)
            acted += each_locked(
                "applicants reminded", idle, partial(messages.return_reminder, day=day)
            )
    return acted


def lapse_drafts(now: datetime) -> int:
    """Lapse drafts untouched for DRAFT_SILENCE_DAYS whose owner was warned a week ago.

    Erased answers cannot be restored, so the warning comes first even if the sweeps were paused.
    """
    idle = _drafts(now - timedelta(days=settings.DRAFT_SILENCE_DAYS))

    def act(draft: Application) -> bool:
        warned_at = messages.draft_warned_at(draft)
        if warned_at is None or warned_at > now - WARNING:
            return False
        lapse(draft)
        return True

    return each_locked("drafts lapsed", idle, act)


def warn_of_drafts(now: datetime) -> int:
    """Warn owners a week before their draft lapses. Returns how many."""
    idle = _drafts(now - timedelta(days=settings.DRAFT_SILENCE_DAYS) + WARNING)
    warn = partial(messages.draft_warning, ends=now + WARNING)
    return each_locked("drafts warned of", idle, warn)


def _returned(now: datetime, days: int, *, less_than: int | None = None) -> ApplicationQuerySet:
    """Return the returned applications untouched for `days`, but not for `less_than` days."""
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
