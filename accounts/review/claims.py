"""Claims on which nobody worked go back to the queue."""

from datetime import datetime, timedelta

from django.conf import settings

from accounts.applications.models import Application
from accounts.applications.state_machine import Status
from accounts.applications.workflow import claims
from accounts.background.one_by_one import one_by_one
from accounts.review import working_days


def release_idle(now: datetime) -> int:
    """Claims idle for IDLE_CLAIM_DAYS working days; an approval that waits for another stays."""
    days = settings.IDLE_CLAIM_DAYS
    claimed = Application.objects.filter(
        status=Status.IN_REVIEW, first_approval=None, worked_at__lte=now - timedelta(days=days)
    )

    def release(application: Application) -> bool:
        worked_at = application.worked_at
        if worked_at is None or working_days.later(worked_at, days) > now:
            return False
        claims.release_idle(application)
        return True

    claimed = claimed.select_related("claimed_by", "tier")
    return one_by_one("claims released", claimed, release)
