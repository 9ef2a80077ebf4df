"""What time does to grants: suspensions end, holders are reminded, grants end."""

from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils import timezone

from accounts.models import Grant

#: Days before its end at which the holder of a grant is reminded.
REMINDERS = (30, 7, 1)


def sweep(now: datetime | None = None) -> None:
    """Do what is due; again, or by two workers at once, does nothing more."""
    now = now or timezone.now()
    Grant.objects.expire_due(now)
    Grant.objects.resume_due(now)
    for days in sorted(REMINDERS):
        _remind(days, now)


def _remind(days: int, now: datetime) -> None:
    """Remind at so many days, those who held it before then and were told of no later day."""
    first = now + timedelta(days=days)
    unsaid = Q(reminded_days=None) | Q(reminded_days__gt=days)
    held_before = Q(starts_at__lte=F("expires_at") - timedelta(days=days))
    due = Grant.objects.live(now).filter(unsaid, held_before, expires_at__lte=first)
    for grant in due.select_related("user", "tier"):
        grant.remind(days)
