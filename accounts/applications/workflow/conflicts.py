"""Conflicts of interest that reviewers declare about an application."""

from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.applications.workflow import claims
from accounts.applications.workflow.audited import transition
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.errors import NotAllowed
from accounts.review.models import Conflict
from accounts.users.models import User


@transition
def declare_conflict(application: Application, *, by: User, reason: str) -> Conflict:
    """Exclude `by` from the decision and end their claim. Idempotent."""
    if not application.may_review(by) and not application.is_in_conflict(by):
        raise NotAllowed(f"you do not have a reviewer role for {application.tier}")
    if application.status == Status.IN_REVIEW and application.claimed_by_id == by.pk:
        claims.release(application, by=by)
    conflict, created = application.conflicts.get_or_create(
        reviewer=by, defaults={"reason": reason}
    )
    if created:
        AuditEvent.record(AccountsEvent.APPLICATION_CONFLICT, actor=by, target=application)
    return conflict
