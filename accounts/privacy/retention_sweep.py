"""What was kept for long enough goes."""

from datetime import datetime

from accounts.applications.models import Application
from accounts.background.one_by_one import one_by_one
from accounts.privacy import retention


def reduce_answers(now: datetime) -> int:
    def reduce(application: Application) -> bool:
        retention.reduce(application)
        return True

    return one_by_one("answers reduced", retention.due_for_reduction(now), reduce)
