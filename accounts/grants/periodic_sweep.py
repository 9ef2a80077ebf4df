"""The periodic sweep of grants: end suspensions, remind holders, expire grants.

The sweep is idempotent; two workers may run it at once.
"""

from datetime import datetime, timedelta
from functools import partial

from django.db.models import F
from django.utils import timezone

from accounts.background.periodic import each, run_steps
from accounts.grants import lifecycle
from accounts.grants.models import Grant

#: Days before the end of a grant on which its holder is reminded.
REMINDERS = (30, 7, 1)


def run(now: datetime | None = None) -> None:
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
    """Send the `days` reminder. Grants with a shorter term get only later ones."""
    before_end = timedelta(days=days)
    due = (
        Grant.objects.live(now)
        .without_reminder(days)
        .filter(expires_at__lte=now + before_end, starts_at__lte=F("expires_at") - before_end)
        .select_related("user", "tier")
    )
    return each("holders reminded", due, partial(lifecycle.remind, days=days))
