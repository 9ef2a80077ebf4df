"""The periodic sweep of grants: suspensions end, holders are reminded, grants expire.

Running it again, or in two workers at once, changes nothing more.
"""

from datetime import datetime, timedelta
from functools import partial

from django.db.models import F, Q
from django.utils import timezone

from accounts.background.periodic import each, run_steps
from accounts.grants import lifecycle
from accounts.grants.models import Grant

#: Days before its end at which the holder of a grant is reminded.
REMINDERS = (30, 7, 1)


def sweep(now: datetime | None = None) -> None:
    """Run every step that is due."""
    now = now or timezone.now()
    steps = {"expired": _expire, "resumed": _resume, "reminded": _remind_all}
    run_steps("grants", {name: partial(step, now) for name, step in steps.items()})


def _expire(now: datetime) -> int:
    due = Grant.objects.due_to_expire(now)
    return each("grants expired", due, partial(lifecycle.expire, now=now))


def _resume(now: datetime) -> int:
    due = Grant.objects.due_to_resume(now)
    return each("grants resumed", due, partial(lifecycle.resume_due, now=now))


def _remind_all(now: datetime) -> int:
    return sum(_remind(days, now) for days in sorted(REMINDERS))


def _remind(days: int, now: datetime) -> int:
    """Send the `days` reminder to holders since before that day who have had no later one."""
    first = now + timedelta(days=days)
    unsent = Q(reminded_days=None) | Q(reminded_days__gt=days)
    held_before = Q(starts_at__lte=F("expires_at") - timedelta(days=days))
    due = Grant.objects.live(now).filter(unsent, held_before, expires_at__lte=first)
    due = due.select_related("user", "tier")
    return each("holders reminded", due, partial(lifecycle.remind, days=days))
