"""The act of giving access without a review, which a second person must confirm."""

from django.urls import reverse
from django.utils import timezone

from accounts.change_requests.acts import Act, Change, Description
from accounts.change_requests.models import ChangeRequest
from accounts.grants import break_glass
from accounts.grants.models import Grant
from accounts.roles.permissions import DECIDERS, GRANT_MANAGERS
from accounts.tiers.models import Tier
from accounts.users.models import User


class GiveAccess(Act):
    name, title = break_glass.ACT, "Give access without a review"
    requesters = GRANT_MANAGERS
    confirmers = DECIDERS

    def describe(self, request: ChangeRequest) -> Description:
        user, tier, days = _named(request)
        holds = "access" if _unended(user, tier) else "no access"
        return Description(
            f"Give {user} access to {tier} for {days} days without a review",
            [Change(f"Access of {user} to {tier}", holds, f"until the end of {days} days")],
            reverse("admin:accounts_tier_change", args=[tier.pk]),
        )

    def beneficiary(self, request: ChangeRequest) -> User:
        return _named(request)[0]

    def obstacle(self, request: ChangeRequest) -> str:
        user, tier, _ = _named(request)
        if not user.is_active or user.suspended_at is not None:
            return "the account is closed or suspended"
        if not tier.is_gated:
            return f"{tier} is open by now, so nobody needs a grant"
        return f"the account already holds a grant for {tier}" if _unended(user, tier) else ""

    def execute(self, request: ChangeRequest) -> None:
        user, tier, days = _named(request)
        break_glass.create_confirmed(
            user, tier, days=days, reason=request.reason, by=request.requester
        )


def _named(request: ChangeRequest) -> tuple[User, Tier, int]:
    values = request.parameters
    user = User.objects.get(public_id=values["user"])
    return user, Tier.objects.select_related("licence").get(pk=values["tier"]), values["days"]


def _unended(user: User, tier: Tier) -> bool:
    unended = Grant.objects.unended().filter(user=user, tier=tier)
    return unended.filter(expires_at__gt=timezone.now()).exists()
