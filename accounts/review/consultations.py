"""Questions to a colleague that have no answer yet."""

from datetime import datetime, timedelta

from accounts.applications.state_machine import WAITING_STATES
from accounts.background.one_by_one import one_by_one
from accounts.mail import messages
from accounts.review import working_days
from accounts.review.models import Consultation

#: Working days after which a colleague is asked once more.
PATIENCE = 2


def remind(now: datetime) -> int:
    """Remind each colleague once, while the application still waits for a decision."""
    unanswered = Consultation.objects.filter(
        answered_at=None,
        asked_at__lte=now - timedelta(days=PATIENCE),
        application__status__in=WAITING_STATES,
    )

    def ask_again(asked: Consultation) -> bool:
        if working_days.later(asked.asked_at, PATIENCE) > now:
            return False
        return messages.colleague_reminded(asked)

    people = unanswered.select_related("application__tier", "colleague", "asked_by")
    return one_by_one("colleagues reminded", people, ask_again)
