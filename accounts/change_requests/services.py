"""Open, confirm, decline, withdraw and expire change requests.

Each change is guarded, audited and mailed in one transaction.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from accounts import reasons
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.change_requests import eligibility, messages, password_set_by_staff
from accounts.change_requests.acts import Act, act_of
from accounts.change_requests.models import ChangeRequest, ChangeRequestQuerySet
from accounts.errors import DomainError, LimitReached, NotAllowed
from accounts.roles.models import RoleAssignment
from accounts.tiers.models import Tier
from accounts.users import recent_authentication
from accounts.users.models import User

#: The time after which an undecided request expires.
WAIT = timedelta(days=7)
#: Maximum waiting requests per person, because each is mailed to several people.
MOST_WAITING = 30

_State = ChangeRequest.State
_EVENTS = {
    _State.CONFIRMED: AccountsEvent.CHANGE_REQUEST_CONFIRMED,
    _State.DECLINED: AccountsEvent.CHANGE_REQUEST_DECLINED,
    _State.WITHDRAWN: AccountsEvent.CHANGE_REQUEST_WITHDRAWN,
    _State.EXPIRED: AccountsEvent.CHANGE_REQUEST_EXPIRED,
    _State.SUPERSEDED: AccountsEvent.CHANGE_REQUEST_SUPERSEDED,
}


def is_required(by: User | None) -> bool:
    """True if a second person must confirm an act of `by` that opens a gate.

    Commands in the server's shell, for which `by` is None, need none.
    """
    return by is not None and not settings.SINGLE_OPERATOR


@transaction.atomic
def open_request(
    act: str,
    target: models.Model,
    parameters: dict[str, Any],
    *,
    tiers: Iterable[Tier | None],
    by: User,
    reason: str,
) -> ChangeRequest:
    """Open a request for a second person to confirm, or return the same one if it is waiting.

    `tiers` are those whose gates the act opens further; no tiers, or None among them, means every
    tier. Raises InvalidValue for a reason outside 5 to 500 characters, LimitReached while
    MOST_WAITING requests of `by` wait, NotAllowed if staff have set the password of `by`,
    RecentAuthenticationRequired if the sign-in is too old.
    """
    recent_authentication.require()
    password_set_by_staff.require(by)
    reason = check_reason(reason)
    identity = {
        "act": act,
        "object_kind": target._meta.model_name or "",
        "object_id": str(getattr(target, "public_id", target.pk)),
        "parameters": parameters,
        "requester": by,
    }
    if same := ChangeRequest.objects.waiting().filter(**identity).first():
        return same
    if ChangeRequest.objects.waiting().filter(requester=by).count() >= MOST_WAITING:
        raise LimitReached(f"{MOST_WAITING} of your requests wait already; withdraw some first")
    now, concerned = timezone.now(), list(tiers)
    request = ChangeRequest.objects.create(
        **identity,
        reason=reason,
        created_at=now,
        expires_at=now + WAIT,
        all_tiers=None in concerned or not concerned,
    )
    request.tiers.set(tier for tier in concerned if tier is not None)
    _record(AccountsEvent.CHANGE_REQUEST_OPENED, request, by, reason=reason)
    messages.opened(request)
    return request


@transaction.atomic
def confirm(request: ChangeRequest, *, by: User, reason: str) -> ChangeRequest:
    """Apply the change if it still can be; otherwise supersede the request.

    The state of the returned request says which. Raises NotAllowed unless `by` may be the
    second person, TransitionRefused if the request no longer waits, InvalidValue for a reason
    outside 5 to 500 characters, RecentAuthenticationRequired if the sign-in is too old.
    """
    recent_authentication.require()
    reason = check_reason(reason)
    # Lock roles before reading them, so that one being withdrawn now does not count.
    roles = RoleAssignment.objects.filter(user__in=[by.pk, request.requester_id]).order_by("pk")
    list(roles.select_for_update(no_key=True, of=("self",)))
    if against := eligibility.reason_against(by, request):
        raise NotAllowed(against)
    request.close(ChangeRequest.objects.waiting(), _State.CONFIRMED, by, reason)
    obstacle = _execute(act_of(request), request)
    if obstacle:
        confirmed = ChangeRequest.objects.filter(state=_State.CONFIRMED)
        request.close(confirmed, _State.SUPERSEDED, by, obstacle)
    _finish(request, by)
    return request


@transaction.atomic
def decline(request: ChangeRequest, *, by: User, reason: str) -> None:
    """Decline the change. Raises as `confirm` does, but requires no recent sign-in."""
    reason = check_reason(reason)
    if against := eligibility.reason_against(by, request):
        raise NotAllowed(against)
    _close(request, _State.DECLINED, by, reason)


@transaction.atomic
def withdraw(request: ChangeRequest, *, by: User) -> None:
    """Withdraw a request. Raises NotAllowed unless `by` opened it, TransitionRefused if closed."""
    if by.pk != request.requester_id:
        raise NotAllowed("only the person who opened a request withdraws it")
    _close(request, _State.WITHDRAWN, by, "")


def expire(now: datetime) -> int:
    """Expire requests whose seven days have passed. Returns how many."""
    due = ChangeRequest.objects.due_to_expire(now).select_related("requester")
    return sum(_expire(request, now) for request in due)


def check_reason(reason: str) -> str:
    """Return the stripped reason. Raises InvalidValue unless it has 5 to 500 characters."""
    readers = "a second person reads it, where one must confirm, and the audit trail stores it"
    return reasons.checked(reason, readers, ask="give a reason of")


def waiting_for(person: User) -> list[ChangeRequest]:
    """Return the waiting requests that `person` may confirm, oldest first."""
    waiting = eligibility.visible_to(person).waiting().exclude(requester=person)
    ordered = waiting.select_related("requester").prefetch_related("tiers").order_by("created_at")
    return [one for one in ordered if not eligibility.reason_against(person, one)]


@transaction.atomic
def _expire(request: ChangeRequest, now: datetime) -> bool:
    due = ChangeRequest.objects.due_to_expire(now)
    if not due.select_for_update(skip_locked=True, of=("self",)).filter(pk=request.pk).exists():
        return False
    _close(request, _State.EXPIRED, None, "", allowed=due)
    return True


def _execute(act: Act, request: ChangeRequest) -> str:
    """Apply the act. Returns why it could not be applied; empty if it was."""
    if not eligibility.may_still_request(request):
        return "the requester no longer has the role for this act"
    if obstacle := act.obstacle(request):
        return obstacle
    try:
        with transaction.atomic():
            act.execute(request)
    except DomainError as error:
        return str(error)
    return ""


def _close(
    request: ChangeRequest,
    state: _State,
    by: User | None,
    outcome: str,
    *,
    allowed: ChangeRequestQuerySet | None = None,
) -> None:
    request.close(allowed or ChangeRequest.objects.waiting(), state, by, outcome)
    _finish(request, by)


def _finish(request: ChangeRequest, by: User | None) -> None:
    state = _State(request.state)
    _record(_EVENTS[state], request, by, reason=request.outcome)
    messages.decided(request)


def _record(
    action: AccountsEvent, request: ChangeRequest, by: User | None, *, reason: str
) -> AuditEvent:
    details = {
        "act": request.act,
        "object": f"{request.object_kind} {request.object_id}",
        "tiers": [tier.slug if tier else None for tier in eligibility.tiers_of(request)],
        "requester": str(request.requester.public_id),
        "reason": reason,
    }
    if action == AccountsEvent.CHANGE_REQUEST_OPENED:
        details["parameters"] = request.parameters
    return AuditEvent.record(action, actor=by, target=request, details=details)
