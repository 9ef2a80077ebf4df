"""Applications whose first decision is late: their lead reviewers hear of it once."""

from datetime import datetime

from accounts.applications.models import Application
from accounts.background.one_by_one import one_by_one
from accounts.mail import messages


def tell_leads(now: datetime) -> int:
    late = Application.objects.overdue().select_related("tier")
    return one_by_one("overdue told", late, messages.application_overdue)
