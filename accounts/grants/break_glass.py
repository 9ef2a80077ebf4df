"""Break-glass access: create or revoke a grant without a review, with a reason.

A command in the server's shell creates it at once; staff need a second person's confirmation.
"""

from django.db import transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.background.locks import lock_user
from accounts.change_requests import messages as change_messages
from accounts.change_requests import services as change_requests
from accounts.change_requests.models import ChangeRequest
from accounts.errors import AlreadyHeld, InvalidValue, NotAllowed
from accounts.grants import lifecycle, messages
from accounts.grants.models import Grant
from accounts.review.working_days import end_of_day
from accounts.tiers.models import Tier
from accounts.users import recent_authentication
from accounts.users.models import User

#: The name of the act in `accounts.grants.access_act`.
ACT = "access.give"
#: The longest term of a grant, about ten years.
MAX_DAYS = 3660


@transaction.atomic
def create(user: User, tier: Tier, *, days: int, reason: str, by: User | None = None) -> Grant:
    """Create a grant under the licence in force, or return the live one with the same reason.

    A command, for which `by` is None, mails the tier's staff. Raises InvalidValue for an open
    tier, an empty reason or a term outside 1 to 3660 days, NotAllowed if `by` is the holder or
    needs a second person (`request_access`), AlreadyHeld if another grant has not ended,
    TierRetired.
    """
    _check(user, tier, days, reason, by)
    if change_requests.is_required(by):
        raise NotAllowed("access outside a review takes a second person; request it instead")
    grant, is_new = _create(user, tier, days, reason, by)
    if by is None and is_new:
        event = AuditEvent.objects.about(grant).last()
        assert event is not None
        sentence = f"it gave an account access to {tier}"
        change_messages.done_in_shell(event, sentence, tier, gains=user)
    return grant


@transaction.atomic
def request_access(
    user: User, tier: Tier, *, days: int, reason: str, by: User
) -> Grant | ChangeRequest:
    """Create the grant, or open a request that creates it once a second person confirms.

    Raises as `create` does.
    """
    _check(user, tier, days, reason, by)
    if not change_requests.is_required(by):
        return _create(user, tier, days, reason, by)[0]
    if Grant.objects.unended().filter(user=user, tier=tier, expires_at__gt=timezone.now()).exists():
        raise AlreadyHeld(f"{user} already holds a grant for {tier.slug}; revoke it first")
    parameters = {"user": str(user.public_id), "tier": tier.pk, "days": days}
    return change_requests.open_request(ACT, user, parameters, tiers=[tier], by=by, reason=reason)


@transaction.atomic
def create_by_one(user: User, tier: Tier, *, days: int, reason: str, by: User) -> Grant:
    """Create a grant for a tier where one approval is enough.

    Raises as `create` does, and NotAllowed for a tier that requires two approvals.
    """
    _check(user, tier, days, reason, by)
    if tier.approvals_needed > 1:
        raise NotAllowed(f"{tier} takes two approvals; request access with a second person")
    return _create(user, tier, days, reason, by)[0]


@transaction.atomic
def create_confirmed(user: User, tier: Tier, *, days: int, reason: str, by: User) -> Grant:
    """Create the grant of a confirmed request. Raises as `create` does."""
    _check(user, tier, days, reason, by)
    return _create(user, tier, days, reason, by)[0]


def _check(user: User, tier: Tier, days: int, reason: str, by: User | None) -> None:
    recent_authentication.require()
    if by is not None and by.pk == user.pk:
        raise NotAllowed("you cannot grant access to yourself; ask another lead reviewer")
    if not tier.is_gated:
        raise InvalidValue(f"the tier {tier.slug!r} is open: nobody needs a grant for it")
    tier.require_active()
    _require_reason(reason)
    if not 1 <= days <= MAX_DAYS:
        raise InvalidValue(f"a grant lasts 1 to {MAX_DAYS} days, not {days}")


def _create(user: User, tier: Tier, days: int, reason: str, by: User | None) -> tuple[Grant, bool]:
    """Create the grant, or find the live one with the same reason. Returns it and if it is new."""
    lock_user(user)
    current = Grant.objects.live().filter(user=user, tier=tier)
    if same := current.filter(origin=Grant.Origin.BREAK_GLASS, reason=reason).first():
        return same, False
    version = tier.licence_in_force()
    if version is None:
        raise InvalidValue(f"the licence {tier.licence} has no version in force; add one first")
    grant = lifecycle.create(
        user,
        tier,
        licence_version=version,
        until=end_of_day(days),
        origin=Grant.Origin.BREAK_GLASS,
        by=by,
        reason=reason,
    )
    messages.access_given(grant)
    return grant, True


@transaction.atomic
def revoke(user: User, tier: Tier, *, reason: str, by: User | None = None) -> Grant:
    """Revoke the grant of `user` for `tier`. Returns it, even if it is already revoked.

    Raises InvalidValue for an empty reason, AlreadyHeld if there is nothing to revoke.
    """
    _require_reason(reason)
    grants = Grant.objects.filter(user=user, tier=tier).order_by("-starts_at")
    grant = grants.unended().first() or grants.filter(state=Grant.State.REVOKED).first()
    if grant is None:
        raise AlreadyHeld(f"{user} holds no grant for {tier.slug}; there is nothing to revoke")
    if grant.state != Grant.State.REVOKED:
        lifecycle.revoke(grant, by=by, reason=reason)
    return grant


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidValue("enter a reason; the audit trail stores it")
