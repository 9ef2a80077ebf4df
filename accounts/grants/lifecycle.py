"""Create, suspend and end grants. Each change is guarded, audited and mailed in one transaction.

Changes by staff require a recent authentication (accounts/users/recent_authentication.py); those by
the holder, and automatic ones, do not.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.applications.models import Application
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.errors import AlreadyHeld, InvalidValue, NotAllowed, TransitionRefused
from accounts.grants import messages
from accounts.grants.models import Grant, GrantQuerySet
from accounts.grants.outstanding_links import Receipt, build_receipt
from accounts.privacy.identity import Identity
from accounts.review.reasons import RULES
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import GRANT_MANAGERS
from accounts.tiers.models import LicenceVersion, Tier
from accounts.users import recent_authentication
from accounts.users.models import User
from accounts.users.recent_authentication import RECENT, RECENT_FOR_APPROVAL

_State = Grant.State
#: Origin -> maximum age of the authentication for staff to create such a grant.
_RECENT_BY_ORIGIN = {
    Grant.Origin.APPLICATION: RECENT_FOR_APPROVAL,
    Grant.Origin.BREAK_GLASS: RECENT,
}


@transaction.atomic
def create(
    user: User,
    tier: Tier,
    *,
    licence_version: LicenceVersion,
    until: datetime,
    origin: str,
    by: User | None,
    reason: str = "",
    application: Application | None = None,
) -> Grant:
    """Create the grant and its audit event.

    Raises AlreadyHeld if another grant has not ended, TierRetired, InvalidValue if `until` has
    passed, RecentAuthenticationRequired if staff create it and their sign-in is too old.
    """
    if origin in _RECENT_BY_ORIGIN:
        recent_authentication.require(within=_RECENT_BY_ORIGIN[Grant.Origin(origin)])
    now = timezone.now()
    refuse_to_create(user, tier, until)
    grant = Grant.objects.create(
        user=user,
        tier=tier,
        licence_version=licence_version,
        starts_at=now,
        expires_at=until,
        origin=origin,
        reason=reason,
        made_by=by,
        application=application,
    )
    details = {
        "origin": origin,
        "until": until.isoformat(),
        "licence": licence_version.text_sha256,
        "reason": reason,
    }
    _record(AccountsEvent.GRANT_GIVEN, grant, by, details)
    return grant


def refuse_to_create(user: User, tier: Tier, until: datetime) -> None:
    """Raise an error if the person cannot get a grant for the tier that ends at `until`.

    Raises TierRetired, AlreadyHeld if another grant has not ended, InvalidValue if `until` has
    passed.
    """
    now = timezone.now()
    tier.require_active()
    if until <= now:
        raise InvalidValue(f"a grant must end in the future, not at {until:%Y-%m-%d %H:%M} UTC")
    others = Grant.objects.filter(user=user, tier=tier)
    expire_due(others, now)
    if others.unended().exists():
        raise AlreadyHeld(f"{user} already holds a grant for {tier.slug}; revoke it first")


@transaction.atomic
def suspend(
    grant: Grant,
    *,
    by: User | None,
    reason: str,
    until: datetime | None = None,
    code: str = "",
) -> Receipt:
    """Suspend access until `until`, or until staff resume the grant.

    The holder reads `reason`. Raises NotAllowed unless `by` may end grants for the tier,
    TransitionRefused unless the grant is active, InvalidValue if `until` has passed, the reason is
    empty or the code does not apply to suspensions.
    """
    now = timezone.now()
    recent_authentication.require()
    _require_lead(grant, by)
    _require_reason("suspend", code, reason)
    if until is not None and until <= now:
        raise InvalidValue("a suspension ends in the future, or when somebody resumes it")
    grant.transition(
        Grant.objects.live(now),
        state=_State.SUSPENDED,
        suspended_at=now,
        suspended_until=until,
        suspension_reason=reason,
    )
    details = {"reason": reason, "code": code, "until": until.isoformat() if until else None}
    return _close(AccountsEvent.GRANT_SUSPENDED, grant, by, now, details, messages.access_suspended)


@transaction.atomic
def resume(grant: Grant, *, by: User | None) -> None:
    """End a suspension; the end of the grant does not change.

    Raises NotAllowed unless `by` may end grants for the tier, and for the holder; TransitionRefused
    unless the grant is suspended.
    """
    recent_authentication.require()
    _require_lead(grant, by)
    if by is not None and by.pk == grant.user_id:
        raise NotAllowed("you cannot resume your own access; ask another lead reviewer")
    _resume(grant, Grant.objects.all(), by)


@transaction.atomic
def resume_due(grant: Grant, now: datetime) -> bool:
    """Resume a grant whose suspension has ended by `now`. Returns False if it has changed."""
    try:
        _resume(grant, Grant.objects.filter(suspended_until__lte=now), None)
    except TransitionRefused:
        return False
    return True


@transaction.atomic
def revoke(
    grant: Grant, *, by: User | None, reason: str, code: str = "", notify: bool = True
) -> Receipt:
    """End the grant permanently; the gate refuses the next request.

    `code` is from the reason catalogue; the holder reads `reason`. If `notify` is false, the caller
    mails the holder. Raises NotAllowed unless `by` may end grants for the tier, TransitionRefused
    if the grant has ended, InvalidValue if the reason is empty or the code does not apply to
    revocations.
    """
    now = timezone.now()
    recent_authentication.require()
    _require_lead(grant, by)
    _require_reason("revoke", code, reason)
    grant.transition(
        Grant.objects.unended(),
        state=_State.REVOKED,
        ended_at=now,
        end_reason=reason,
        end_code=code,
    )
    details = {"reason": reason, "code": code}
    mail = messages.access_revoked if notify else None
    return _close(AccountsEvent.GRANT_REVOKED, grant, by, now, details, mail)


@transaction.atomic
def surrender(grant: Grant, *, by: User) -> Receipt:
    """End the grant at the request of its holder.

    Raises NotAllowed unless `by` is the holder, TransitionRefused unless the grant is active.
    """
    now = timezone.now()
    if by.pk != grant.user_id:
        raise NotAllowed("only its holder can surrender a grant")
    grant.transition(Grant.objects.live(now), state=_State.SURRENDERED, ended_at=now)
    return _close(AccountsEvent.GRANT_SURRENDERED, grant, by, now, {}, messages.access_surrendered)


def expire_due(grants: GrantQuerySet, now: datetime | None = None) -> int:
    """Expire the `grants` whose end has passed. Returns how many."""
    now = now or timezone.now()
    return sum(expire(grant, now) for grant in grants.due_to_expire(now))


@transaction.atomic
def expire(grant: Grant, now: datetime) -> bool:
    """Mark a grant as expired and mail its holder. Returns False if it has ended or is not due."""
    due = Grant.objects.unended().filter(expires_at__lte=now)
    try:
        grant.transition(due, state=_State.EXPIRED, ended_at=grant.expires_at)
    except TransitionRefused:
        return False
    AuditEvent.record(AccountsEvent.GRANT_EXPIRED, target=grant)
    messages.access_ended(grant)
    return True


@transaction.atomic
def remind(grant: Grant, days: int) -> bool:
    """Send the `days` expiry reminder once. Returns True if it was sent now."""
    live = Grant.objects.live().without_reminder(days)
    if not live.filter(pk=grant.pk).update(reminded_days=days):
        return False
    grant.reminded_days = days
    messages.access_ending(grant, days)
    return True


def _resume(grant: Grant, allowed: GrantQuerySet, by: User | None) -> None:
    grant.transition(
        allowed.filter(state=_State.SUSPENDED, expires_at__gt=timezone.now()),
        state=_State.ACTIVE,
        suspended_at=None,
        suspended_until=None,
        suspension_reason="",
    )
    messages.access_resumed(grant, _record(AccountsEvent.GRANT_RESUMED, grant, by, {}))


def _close(
    action: AccountsEvent,
    grant: Grant,
    by: User | None,
    now: datetime,
    details: dict[str, Any],
    mail: Callable[[Grant, AuditEvent, Receipt], None] | None,
) -> Receipt:
    """Record the end or suspension of access, and mail the receipt."""
    receipt = build_receipt(grant, now)
    event = _record(action, grant, by, {**details, **receipt.counts})
    if mail is not None:
        mail(grant, event, receipt)
    return receipt


def _record(
    action: AccountsEvent, grant: Grant, by: User | None, details: dict[str, Any]
) -> AuditEvent:
    details = {"tier": grant.tier.slug, "holder": str(grant.user.public_id), **details}
    if reason := details.get("reason"):  # typed by staff, and the trail is never erased
        details["reason"] = Identity.of(grant.user).remove_from(reason)
    return AuditEvent.record(action, actor=by, target=grant, details=details)


def _require_lead(grant: Grant, by: User | None) -> None:
    """Require a lead reviewer of the tier; `by` is None for commands and sweeps."""
    if by is not None and not RoleAssignment.objects.covers(by, GRANT_MANAGERS, grant.tier):
        raise NotAllowed(f"you are not a lead reviewer of {grant.tier}")


def _require_reason(action: str, code: str, reason: str) -> None:
    if code and (code not in RULES or action not in RULES[code].actions):
        raise InvalidValue(f"the reason {code!r} does not fit {action}")
    if not reason.strip():
        raise InvalidValue("enter a reason; the holder reads it")
