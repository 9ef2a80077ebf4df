"""Queries for a person's grants and the tiers open to them."""

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from accounts.grants.models import Grant
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import LicenceVersion, Tier
from accounts.users.models import User


def live_grant(user: User, tier: Tier) -> Grant | None:
    """Return the live grant of `user` for `tier`, or None."""
    return (
        Grant.objects.live(timezone.now())
        .filter(user=user, tier=tier)
        .select_related("licence_version__licence")
        .first()
    )


def tiers_open_to(user: User | None) -> QuerySet[Tier]:
    """Return open tiers, and gated tiers whose files `user` may download now.

    Applies the gate's conditions for account, grant and licence.
    """
    is_open = Q(mode=AccessMode.OPEN)
    if user is None or not user.is_authenticated:
        return Tier.objects.filter(is_open)
    now = timezone.now()
    texts = LicenceVersion.objects.filter(licence=OuterRef("tier__licence"), effective_at__lte=now)
    in_force = texts.order_by("-effective_at").values("pk")[:1]
    in_good_standing = {
        "user__is_active": True,
        "user__suspended_at": None,
        "user__emailaddress__verified": True,
    }
    grants = Grant.objects.live(now).filter(user=user, **in_good_standing)
    grants = grants.annotate(in_force=Subquery(in_force))
    covered = [
        grant.tier_id
        for grant in grants.select_related("tier__licence", "licence_version")
        if grant.in_force in {None, grant.licence_version_id}
        or grant.has_valid_licence(now, grant.tier, grant.tier.accepted_licence.in_force_by(now))
    ]
    return Tier.objects.filter(is_open | Q(pk__in=covered))
