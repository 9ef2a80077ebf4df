"""What time does to grants: suspensions end, holders are reminded, grants end.

Again, or by two workers at once, changes nothing more.
"""

from datetime import datetime, timedelta
from functools import partial

from django.db.models import F, Q
from django.utils import timezone

from accounts.background.periodic import each, run_steps
from accounts.grants.models import Grant

#: Days before its end at which the holder of a grant is reminded.
REMINDERS = (30, 7, 1)


def sweep(now: datetime | None = None) -> None:
    """Do what is due."""
    now = now or timezone.now()
    steps = {"expired": _expire, "resumed": _resume, "reminded": _remind_all}
    run_steps("grants", {name: partial(step, now) for name, step in steps.items()})


def _expire(now: datetime) -> int:
    return each("grants expired", Grant.objects.due_to_expire(now), lambda one: one.expire(now))


def _resume(now: datetime) -> int:
    due = Grant.objects.due_to_resume(now)
    return each("grants resumed", due, lambda grant: grant.resume_by_itself(now))


def _remind_all(now: datetime) -> int:
    return sum(_remind(days, now) for days in sorted(REMINDERS))


def _remind(days: int, now: datetime) -> int:
    """Remind at so many days, those who held it before then and were told of no later day."""
    first = now + timedelta(days=days)
    unsaid = Q(reminded_days=None) | Q(reminded_days__gt=days)
    held_before = Q(starts_at__lte=F("expires_at") - timedelta(days=days))
    due = Grant.objects.live(now).filter(unsaid, held_before, expires_at__lte=first)
    due = due.select_related("user", "tier")
    return each("holders reminded", due, lambda grant: grant.remind(days))
