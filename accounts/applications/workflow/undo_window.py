"""The time between a decision and its effect, during which its reviewer can undo it.

Until then the application stays in review, with no grant, no mail, and nothing that the applicant
could read. A sweep applies due decisions; if it is killed, the next one continues.
"""

from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.applications.workflow import verdicts
from accounts.applications.workflow.audited import transition
from accounts.applications.workflow.verdicts import Verdict
from accounts.background.periodic import each
from accounts.errors import AccountsError, TransitionRefused
from accounts.grants import lifecycle
from accounts.review.models import Decision
from accounts.users.models import User


def decide(application: Application, verdict: Verdict, *, by: User) -> Decision | None:
    """Schedule a verdict to take effect after DECISION_UNDO_SECONDS. Returns None.

    If that is 0, apply it at once and return the decision.
    """
    verdicts.validate(application, verdict)
    if not settings.DECISION_UNDO_SECONDS:
        return verdicts.apply(application, verdict, by=by)
    until = timezone.now() + timedelta(seconds=settings.DECISION_UNDO_SECONDS)
    details = {
        "verdict": verdict.name,
        "reasons": verdict.reasons,
        "takes_effect_at": until.isoformat(),
    }
    application.transition(
        "decide",
        by=by,
        details=details,
        pending_until=until,
        pending_by=by,
        pending_verdict=verdict.as_json(),
    )
    if verdict.until is not None:
        lifecycle.refuse_to_create(application.applicant, application.tier, verdict.until)
    return None


@transition
def undo(application: Application, *, by: User) -> Verdict:
    """Undo a decision that has not taken effect, and return its verdict for editing.

    The application stays with its claimer.
    Raises NotAllowed unless `by` made the decision, TransitionRefused once the time has passed.
    """
    application.refresh_from_db()
    if application.pending_until is None:
        raise TransitionRefused(f"{application.reference} has no decision that could be undone")
    application.require("undo", by)
    if application.pending_until <= timezone.now():
        raise TransitionRefused("the time to undo this decision has passed; it takes effect now")
    verdict = Verdict.from_json(application.pending_verdict)
    application.transition("undo", by=by, details={"verdict": verdict.name})
    return verdict


def finish_due(now: datetime) -> int:
    """Apply due decisions. Returns how many."""
    due = Application.objects.filter(status=Status.IN_REVIEW, pending_until__lte=now)
    ids = due.order_by("pending_until").values_list("pk", flat=True)
    return each("decisions finished", list(ids), partial(finish, now=now))


@transaction.atomic
def finish(application_id: int, *, now: datetime | None = None) -> bool:
    """Apply a due decision. Returns False if it is not due, was undone, or is refused now.

    A refused decision, such as one by a reviewer who lost the role, is undone; its texts
    stay on the application (`undone_verdict`) until it is decided again.
    """
    rows = Application.objects.select_for_update(no_key=True, of=("self",))
    due = rows.filter(pending_until__lte=now or timezone.now())
    application = due.filter(pk=application_id).first()
    if application is None or application.pending_by is None:
        return False
    by, verdict = application.pending_by, Verdict.from_json(application.pending_verdict)
    try:
        with transaction.atomic():
            application.require(verdict.name, by)
            verdicts.apply(application, verdict, by=by)
    except AccountsError as error:
        application.refresh_from_db()
        application.transition(
            "undo",
            by=None,
            details={"verdict": verdict.name, "error": error.code},
            pending_verdict=application.pending_verdict,
        )
        return False
    return True


def undone_verdict(application: Application) -> Verdict | None:
    """Return the verdict that the sweep undid; None once decided again or withdrawn."""
    if application.pending_until is not None or not application.pending_verdict:
        return None
    return Verdict.from_json(application.pending_verdict)
