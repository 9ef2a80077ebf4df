"""Retires a tier, or puts it back into use.

A retired tier takes no new checkpoints, applications or grants (`Tier.require_active`). Its mode,
licence and grants do not change, so nothing in it becomes more open.
"""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts import reasons
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.errors import TransitionRefused
from accounts.tiers import services
from accounts.tiers.models import Tier, TierChange
from accounts.users import recent_authentication
from accounts.users.models import User


def retire(tier: Tier, *, by: User, reason: str) -> None:
    """Retire a tier, with a reason that its public history shows.

    Raises NotAllowed unless `by` administers the tier, InvalidValue for a reason outside 5 to 500
    characters, TransitionRefused for a retired tier, RecentAuthenticationRequired if the sign-in is
    too old.
    """
    _change(tier, timezone.now(), by, reason, TierChange.Kind.RETIRED, AccountsEvent.TIER_RETIRED)


def unretire(tier: Tier, *, by: User, reason: str) -> None:
    """Put a retired tier back into use. Raises as `retire` does."""
    _change(tier, None, by, reason, TierChange.Kind.UNRETIRED, AccountsEvent.TIER_UNRETIRED)


@transaction.atomic
def _change(
    tier: Tier,
    retired_at: datetime | None,
    by: User,
    reason: str,
    kind: TierChange.Kind,
    event: AccountsEvent,
) -> None:
    recent_authentication.require()
    services.require_administrator(by, tier)
    reason = reasons.checked(reason, "the public history shows it", ask="give a reason of")
    changeable = Tier.objects.filter(pk=tier.pk, retired_at__isnull=retired_at is not None)
    if not changeable.update(retired_at=retired_at):
        raise TransitionRefused(f"the tier {tier} is {'retired' if retired_at else 'in use'}")
    tier.retired_at = retired_at
    AuditEvent.record(event, actor=by, target=tier, details={"reason": reason})
    fields = [{"field": "reason", "label": "Reason", "before": "", "after": reason}]
    services.record_change(tier, kind, by, fields=fields)
