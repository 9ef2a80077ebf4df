"""Decisions by reviewers: approve, reject, return for changes; lead reviewers can reopen."""

from datetime import datetime

from django.db import transaction

from accounts.applications import messages as applicant_mails
from accounts.applications.models import Application
from accounts.applications.transition_table import TRANSITIONS, Status
from accounts.applications.workflow import claims, open_points, successors, undo_window, verdicts
from accounts.applications.workflow.audited import transition
from accounts.applications.workflow.verdicts import Verdict
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.background.locks import lock_user
from accounts.change_requests import password_set_by_staff
from accounts.errors import AlreadyHeld, InvalidValue, NotAllowed, TransitionRefused
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.privacy.identity import Identity
from accounts.review import messages as staff_mails
from accounts.review import working_days
from accounts.review.models import Decision
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import GRANT_MANAGERS
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier
from accounts.users import recent_authentication
from accounts.users.models import User
from accounts.users.recent_authentication import RECENT_FOR_APPROVAL

REOPENED_REASON = "the application was reopened"


@transition
def approve(
    application: Application,
    *,
    by: User,
    until: datetime | None = None,
    note: str = "",
    internal_note: str = "",
    checklist: dict[str, str] | None = None,
    confirmed: bool = False,
) -> Grant | None:
    """Give the applicant a grant until `until`, by default for the tier's term.

    Claims the application first if necessary. Returns None if the grant does not start yet: after
    the first of two approvals, when a second reviewer must approve and may change the term, and
    while `by` can undo the decision (undo_window.py).

    Raises ConfirmationRequired, unless `confirmed`, if a checklist question or a remark is open;
    TierRetired; NotAllowed, if two approvals are needed, for a password that somebody else set.
    """
    recent_authentication.require(within=RECENT_FOR_APPROVAL)
    _claim_or_require(application, by, "approve")
    application.tier.require_active()
    if application.tier.approvals_needed > 1:
        password_set_by_staff.require(by)
    if not confirmed:
        open_points.require(application, checklist)
    first = application.first_approval
    if until is None:
        until = first.until if first is not None else None
        until = until or working_days.end_of_day(application.tier.term_days)
    note = joined_notes(application, note)
    verdict = Verdict("approve", [], note, internal_note, checklist or {}, until)
    if application.tier.approvals_needed > 1 and first is None:
        _approve_first(application, by, verdict)
        return None
    if first is not None and first.reviewer_id == by.pk:
        raise NotAllowed(f"{application.reference} needs the approval of another reviewer")
    decision = undo_window.decide(application, verdict, by=by)
    return application.grant if decision is not None else None


def joined_notes(application: Application, note: str) -> str:
    """Return the note to the applicant: the first reviewer's text, followed by `note`."""
    first = application.first_approval.note if application.first_approval else ""
    return "\n\n".join(text for text in (first, note) if text)


@transition
def reject(
    application: Application,
    *,
    by: User,
    reasons: list[str],
    note: str,
    internal_note: str = "",
    checklist: dict[str, str] | None = None,
) -> Decision | None:
    """Reject with at least one reason code and a note of at least 20 characters.

    Claims the application first if necessary. Returns None while `by` can undo the decision.
    """
    _claim_or_require(application, by, "reject")
    held = Grant.objects.live().filter(user=application.applicant, tier=application.tier)
    if application.is_waiting and held.exists():
        raise AlreadyHeld(
            f"{application.applicant} has access to {application.tier}; revoke it first"
        )
    verdict = Verdict("reject", reasons, note, internal_note, checklist or {})
    return undo_window.decide(application, verdict, by=by)


@transition
def return_for_changes(
    application: Application,
    *,
    by: User,
    reasons: list[str],
    remarks: dict[str, str],
    note: str = "",
    internal_note: str = "",
    checklist: dict[str, str] | None = None,
) -> Decision | None:
    """Return the application for changes and pause the review deadline.

    `remarks` maps a field to what should change there; at least one is needed. Returns None while
    `by` can undo the decision.
    """
    _claim_or_require(application, by, "return")
    remarks = {field: text for field, text in remarks.items() if text.strip()}
    if not remarks:
        raise InvalidValue("enter at least one remark that says what should change")
    verdict = Verdict("return", reasons, note, internal_note, checklist or {}, remarks=remarks)
    return undo_window.decide(application, verdict, by=by)


@transaction.atomic
def reopen(applicant: User, tier: Tier, *, by: User, reason: str = "") -> Application:
    """Reopen a decided application and revoke the access that it granted.

    The new application has the last snapshot of its predecessor, or none if access was granted
    without an application. Raises NotAllowed unless `by` is a lead reviewer of the tier,
    AlreadyHeld while an application is open, TransitionRefused if there is nothing to reopen,
    TierRetired.
    """
    recent_authentication.require()
    if tier.access_mode is not AccessMode.REVIEWED:
        raise TransitionRefused(f"{tier} does not take applications; revoke the grant instead")
    tier.require_active()
    if by.pk == applicant.pk:
        raise NotAllowed("you cannot decide your own application")
    if not RoleAssignment.objects.covers(by, GRANT_MANAGERS, tier):
        raise NotAllowed(f"you are not a lead reviewer of {tier}")
    lock_user(applicant)
    applicant.refresh_from_db(fields=["erased_at"])
    if applicant.erased_at is not None:
        raise TransitionRefused("this account was erased, so its applications cannot be reopened")
    own = Application.objects.filter(applicant=applicant, tier=tier)
    if open_one := own.open().first():
        raise AlreadyHeld(f"{open_one.reference} is already open")
    decided = own.filter(status__in=TRANSITIONS["reopen"].leaves)
    before = decided.order_by("-submitted_at", "-pk").first()
    if before is None and not Grant.objects.filter(user=applicant, tier=tier).exists():
        raise TransitionRefused(f"{applicant} has never applied for {tier} or had access to it")
    ended = _end_access(applicant, tier, by=by, reason=reason or REOPENED_REASON)
    reopened = successors.create(applicant, tier, before, kind=Application.Kind.REOPENED)
    details = {
        "predecessor": before.reference if before else "",
        # Typed by staff, and the trail is never erased.
        "reason": Identity.of(applicant).remove_from(reason),
    }
    AuditEvent.record(AccountsEvent.APPLICATION_REOPEN, actor=by, target=reopened, details=details)
    applicant_mails.application_reopened(reopened, ended)
    return reopened


def _approve_first(application: Application, by: User, verdict: Verdict) -> None:
    application.first_approval = verdicts.record(application, verdict, by=by, name="approve_first")
    application.save(update_fields=["first_approval"])
    staff_mails.second_approval_wanted(application, application.first_approval)


def _claim_or_require(application: Application, by: User, name: str) -> None:
    """Claim a submitted application; otherwise raise NotAllowed if `by` lacks permission."""
    application.refresh_from_db()
    application.require_undecided()
    if application.status == Status.SUBMITTED:
        claims.claim(application, by=by)
    elif application.status == Status.IN_REVIEW:
        application.require(name, by)
    else:
        application.require_reviewer(by)


def _end_access(applicant: User, tier: Tier, *, by: User, reason: str) -> Grant | None:
    """Revoke the applicant's grant for the tier. Returns it, or None if there was none."""
    grants = Grant.objects.filter(user=applicant, tier=tier)
    lifecycle.expire_due(grants)
    grant = grants.unended().first()
    if grant is not None:
        lifecycle.revoke(grant, by=by, reason=reason, notify=False)
    return grant
