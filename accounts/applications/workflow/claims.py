"""Claims on applications: claim, assign, release, remind."""

from typing import Any

from django.utils import timezone

from accounts.applications.models import Application
from accounts.applications.transition_table import Actor
from accounts.applications.workflow.audited import transition
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.errors import AlreadyHeld, InvalidValue, NotAllowed, TransitionRefused
from accounts.review import messages, working_days
from accounts.users.models import User

_UNCLAIMED: dict[str, Any] = {"claimed_by": None, "claimed_at": None, "worked_at": None}


@transition
def claim(application: Application, *, by: User) -> None:
    """Claim the application for review, so that two people do not work on it."""
    application.require("claim", by)
    application.transition("claim", by=by, **_claimed_by(by))


@transition
def assign(application: Application, to: User, *, by: User) -> None:
    """Assign the application to a reviewer, replacing any claim; lead reviewers only."""
    application.require("assign", by)
    if not application.may_review(to):
        raise InvalidValue(f"{to} may not review {application.reference}")
    details = {"to": str(to.public_id)}
    application.transition("assign", by=by, details=details, **_claimed_by(to))
    messages.application_assigned(application, to, by)


@transition
def release(application: Application, *, by: User) -> None:
    """Return the application to the queue and clear its first approval."""
    application.require("release", by)
    application.transition("release", by=by, first_approval=None, **_UNCLAIMED)


@transition
def release_idle(application: Application) -> None:
    """Return an idle application to the queue; a first approval stays."""
    claimer, claimed_at = application.claimed_by, application.claimed_at
    application.transition("release", by=None, details={"idle": True}, **_UNCLAIMED)
    if claimer is not None:
        messages.claim_ended(application, claimer, claimed_at)


@transition
def remind(application: Application, *, by: User) -> None:
    """Mail a reminder to the claimer, at most once a day; lead reviewers only."""
    if Actor.LEAD not in application.actors(by):
        raise NotAllowed(f"you are not a lead reviewer of {application.tier}")
    claimer = application.claimed_by
    if claimer is None or not application.is_waiting:
        raise TransitionRefused(f"nobody has claimed {application.reference}")
    if not messages.claimer_reminded(application, by, working_days.utc_date(timezone.now())):
        raise AlreadyHeld(f"{claimer} was reminded of {application.reference} today")
    details = {"claimer": str(claimer.public_id)}
    AuditEvent.record(
        AccountsEvent.APPLICATION_REMIND, actor=by, target=application, details=details
    )


def _claimed_by(person: User) -> dict[str, Any]:
    now = timezone.now()
    return {"claimed_by": person, "claimed_at": now, "worked_at": now, "first_approval": None}
