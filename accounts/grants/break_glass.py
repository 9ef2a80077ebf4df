"""Break-glass access: create or revoke a grant without a review, with a reason."""

from django.db import transaction

from accounts.background.locks import lock_user
from accounts.errors import AlreadyHeld, InvalidValue, NotAllowed
from accounts.grants import lifecycle, messages
from accounts.grants.models import Grant
from accounts.review.working_days import end_of_day
from accounts.tiers.models import Tier
from accounts.users import recent_authentication
from accounts.users.models import User

#: The longest term of a grant, about ten years.
MAX_DAYS = 3660


@transaction.atomic
def create(user: User, tier: Tier, *, days: int, reason: str, by: User | None = None) -> Grant:
    """Create a grant under the licence in force, or return the live one with the same reason.

    Raises InvalidValue for an open tier, an empty reason or a term outside 1 to 3660 days,
    NotAllowed if `by` is the holder, AlreadyHeld while another grant has not ended.
    """
    recent_authentication.require()
    if by is not None and by.pk == user.pk:
        raise NotAllowed("you cannot grant access to yourself; ask another lead reviewer")
    if not tier.is_gated:
        raise InvalidValue(f"the tier {tier.slug!r} is open: nobody needs a grant for it")
    _require_reason(reason)
    if not 1 <= days <= MAX_DAYS:
        raise InvalidValue(f"a grant lasts 1 to {MAX_DAYS} days, not {days}")
    lock_user(user)
    current = Grant.objects.live().filter(user=user, tier=tier)
    if same := current.filter(origin=Grant.Origin.BREAK_GLASS, reason=reason).first():
        return same
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
    return grant


@transaction.atomic
def revoke(user: User, tier: Tier, *, reason: str, by: User | None = None) -> Grant:
    """Revoke the grant of `user` for `tier`. Returns it, even if it was revoked before.

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
