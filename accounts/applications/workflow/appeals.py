"""Appeals: another reviewer decides a rejected application again, once, by a separate deadline."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from accounts.applications import messages
from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.applications.workflow import successors
from accounts.applications.workflow.audited import transition
from accounts.applications.workflow.eligibility import refuse_to_request
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.background.locks import lock_user
from accounts.errors import AlreadyHeld, InvalidValue, NotAllowed, TierRetired, TransitionRefused
from accounts.review import messages as staff_mails
from accounts.review.models import Conflict, Decision
from accounts.review.reasons import is_appealable
from accounts.users.models import User

#: Characters of the text, after trimming.
MIN_TEXT, MAX_TEXT = 100, 3000


@transition
def appeal(application: Application, text: str, *, by: User) -> Application:
    """Appeal a rejection. Returns the appeal: a submitted application with the same answers.

    Reviewers who rejected the application are in conflict: they can neither be assigned the appeal
    nor decide it. Raises InvalidValue for a text that is too short or too long; NotAllowed,
    AlreadyHeld, TierRetired or TransitionRefused if the rejection cannot be appealed.
    """
    application.require("appeal", by)
    lock_user(by)
    application.refresh_from_db()
    text = text.strip()
    if not MIN_TEXT <= len(text) <= MAX_TEXT:
        raise InvalidValue(
            f"say in {MIN_TEXT} to {MAX_TEXT} characters why the decision should change; "
            f"these are {len(text)}"
        )
    _refuse(application)
    made = successors.create(
        by,
        application.tier,
        application,
        kind=Application.Kind.APPEAL,
        answer_days=settings.APPEAL_ANSWER_DAYS,
        appeal_text=text,
    )
    for decision in _rejections(application):
        defaults = {"reason": Conflict.REJECTED}
        made.conflicts.get_or_create(reviewer=decision.reviewer, defaults=defaults)
    details = {"predecessor": application.reference}
    AuditEvent.record(AccountsEvent.APPLICATION_APPEAL, actor=by, target=made, details=details)
    messages.appeal_received(made)
    staff_mails.appeal_opened(made)
    return made


def deadline(application: Application) -> datetime | None:
    """Return the deadline to appeal the rejection; None if it cannot be appealed."""
    try:
        return _refuse(application)
    except (AlreadyHeld, NotAllowed, TierRetired, TransitionRefused):
        return None


def of(application: Application) -> Application | None:
    """Return the appeal against the rejection of this application, if there is one."""
    return application.successors.filter(kind=Application.Kind.APPEAL).first()


def _refuse(application: Application) -> datetime:
    """Return the deadline, or raise an error that says why the rejection cannot be appealed."""
    if application.status != Status.REJECTED or application.decided_at is None:
        raise TransitionRefused("only a rejected application can be appealed")
    if application.is_appeal:
        raise TransitionRefused("the decision on an appeal is final; you can apply again")
    if (made := of(application)) is not None:
        raise AlreadyHeld(f"{made.reference} appeals this rejection already")
    codes = {code for decision in _rejections(application) for code in decision.reasons}
    if not is_appealable(codes):
        raise NotAllowed("a rejection for this reason cannot be appealed; you can apply again")
    until = application.decided_at + timedelta(days=settings.APPEAL_WITHIN_DAYS)
    if until <= timezone.now():
        raise TransitionRefused(f"this rejection could be appealed until {until:%d %B %Y}")
    refuse_to_request(application.applicant, application.tier)
    return until


def _rejections(application: Application) -> list[Decision]:
    rejections = application.decisions.filter(verdict=Decision.Verdict.REJECT)
    return list(rejections.select_related("reviewer"))
