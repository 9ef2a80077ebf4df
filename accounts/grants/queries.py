"""What may this person fetch? The only answer, as a queryset."""

from django.db.models import QuerySet
from django.utils import timezone

from accounts.grants.models import Grant
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier
from accounts.users.models import User


def live_grant(user: User, tier: Tier) -> Grant | None:
    """The grant that opens `tier` to `user` now, if any."""
    return (
        Grant.objects.live(timezone.now())
        .filter(user=user, tier=tier)
        .select_related("licence_version__licence")
        .first()
    )


def tiers_open_to(user: User | None) -> QuerySet[Tier]:
    """Open tiers, and those for which this person holds a live grant."""
    tiers = Tier.objects.filter(mode=AccessMode.OPEN)
    if user is None or not user.is_authenticated:
        return tiers
    held = Grant.objects.live().filter(user=user).values("tier")
    return Tier.objects.filter(pk__in=tiers.values("pk")) | Tier.objects.filter(pk__in=held)
