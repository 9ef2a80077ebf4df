"""Use cases of review that span records, called by pages and APIs."""

from django.db import transaction

from accounts.applications.models import Application
from accounts.applications.transition_table import Actor, Status
from accounts.applications.workflow import claims, conversation, decisions
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.errors import AlreadyHeld, NotAllowed
from accounts.review.models import Consultation, ReasonText
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import GRANT_MANAGERS
from accounts.users.models import User


def ask_colleague(
    application: Application, colleague: User, question: str, *, by: User
) -> Consultation:
    """Ask another reviewer by mail; claim the application first if it is unclaimed."""
    if application.status == Status.SUBMITTED:
        claims.claim(application, by=by)
    return conversation.ask(application, colleague, question, by=by)


def reopen(application: Application, *, by: User, reason: str) -> Application:
    """Reopen the applicant's request for the tier. Returns the new application."""
    return decisions.reopen(application.applicant, application.tier, by=by, reason=reason)


def reject_as_lead(application: Application, *, by: User, reason: str, note: str) -> None:
    """Reject for one reason. Raises NotAllowed unless `by` is a lead reviewer of the tier."""
    if Actor.LEAD not in application.actors(by):
        raise NotAllowed(f"you are not a lead reviewer of {application.tier}")
    decisions.reject(application, by=by, reasons=[reason], note=note)


def may_change_reason_texts(person: User) -> bool:
    """True for lead reviewers of any tier."""
    leads = RoleAssignment.objects.held(person, GRANT_MANAGERS).exists()
    return person.has_perm("accounts.add_reasontext") and leads


@transaction.atomic
def change_reason_text(text: ReasonText, *, by: User) -> None:
    """Save a new text for a reason; the previous texts stay as history.

    Raises NotAllowed unless `by` is a lead reviewer, AlreadyHeld for the text in force.
    """
    if not may_change_reason_texts(by):
        raise NotAllowed("lead reviewers change the texts of reasons")
    if text.is_in_force():
        raise AlreadyHeld("this text is already in force")
    text.made_by = by
    text.save()
    details = {"code": text.code, "label": text.label, "remedy": text.remedy}
    AuditEvent.record(AccountsEvent.REASON_TEXT_CHANGED, actor=by, target=text, details=details)
