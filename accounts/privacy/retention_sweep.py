"""What was kept for long enough goes."""

from datetime import datetime

from accounts.applications.models import Application
from accounts.background.periodic import each_locked
from accounts.privacy import retention


def reduce_answers(now: datetime) -> int:
    def reduce(application: Application) -> bool:
        retention.reduce(application)
        return True

    return each_locked("answers reduced", retention.due_for_reduction(now), reduce)
