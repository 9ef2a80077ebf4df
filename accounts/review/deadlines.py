"""Periodic steps of review: release idle claims, remind colleagues, report overdue applications.

Each step returns the number of rows that it changed.
"""

from datetime import datetime, timedelta

from django.conf import settings

from accounts.applications.models import Application
from accounts.applications.transition_table import WAITING_STATES, Status
from accounts.applications.workflow import claims
from accounts.background.periodic import each_locked
from accounts.review import messages, working_days
from accounts.review.models import Consultation

#: Working days after which a colleague is reminded of a question.
REMINDER_DAYS = 2


def release_idle_claims(now: datetime) -> int:
    """Release claims that have been idle for IDLE_CLAIM_DAYS working days.

    An application that awaits a second approval keeps its claim.
    """
    days = settings.IDLE_CLAIM_DAYS
    claimed = Application.objects.filter(
        status=Status.IN_REVIEW, first_approval=None, worked_at__lte=now - timedelta(days=days)
    )

    def release(application: Application) -> bool:
        worked_at = application.worked_at
        if worked_at is None or working_days.deadline(worked_at, days) > now:
            return False
        claims.release_idle(application)
        return True

    return each_locked("claims released", claimed.select_related("claimed_by", "tier"), release)


def remind_colleagues(now: datetime) -> int:
    """Send one reminder of each unanswered question about an application under review."""
    unanswered = Consultation.objects.filter(
        answered_at=None,
        asked_at__lte=now - timedelta(days=REMINDER_DAYS),
        application__status__in=WAITING_STATES,
    )

    def remind(question: Consultation) -> bool:
        if working_days.deadline(question.asked_at, REMINDER_DAYS) > now:
            return False
        return messages.colleague_reminded(question)

    questions = unanswered.select_related("application__tier", "colleague", "asked_by")
    return each_locked("colleagues reminded", questions, remind)


def report_overdue(now: datetime) -> int:
    """Mail the lead reviewers once about each overdue application."""
    overdue = Application.objects.overdue().select_related("tier")
    return each_locked("overdue told", overdue, messages.application_overdue)
