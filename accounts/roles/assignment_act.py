"""The act of giving a role, which a second person must confirm."""

from django.db.models import Q
from django.urls import reverse

from accounts.change_requests.acts import Act, Change, Description
from accounts.change_requests.models import ChangeRequest
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.roles.services import ACT
from accounts.roles.tier_scoped_admin import tiers_of
from accounts.tiers.models import Tier
from accounts.users.models import User


class GiveRole(Act):
    name, title = ACT, "Give a role"
    requesters = frozenset({Role.ADMINISTRATOR})
    confirmers = frozenset({Role.ADMINISTRATOR, Role.RELEASE_OWNER, Role.LEAD_REVIEWER})

    def describe(self, request: ChangeRequest) -> Description:
        user, role, tier = _named(request)
        scope = f"for {tier}" if tier else "for every tier"
        holds = ", ".join(Role(one.role).label for one in user.roles.filter(tier=tier)) or "none"
        return Description(
            f"Give {user} the role {role.label.lower()} {scope}",
            [Change(f"Roles of {user} {scope}", holds, f"{role.label} as well")],
            reverse("admin:accounts_user_change", args=[user.pk]),
        )

    def facts(self, request: ChangeRequest, reader: User) -> list[tuple[str, str]]:
        """Return who the account is, without roles for tiers that are not the reader's.

        The requester chose the account in the admin, which shows its addresses too.
        """
        user, _, _ = _named(request)
        roles, tiers = user.roles.select_related("tier").order_by("pk"), tiers_of(reader)
        if tiers is not None:
            roles = roles.filter(Q(tier=None) | Q(tier__in=tiers))
        held = [f"{Role(one.role).label} of {one.tier or 'every tier'}" for one in roles]
        return [
            ("Username", user.username),
            ("Name", user.get_full_name() or "not given"),
            ("Confirmed addresses", ", ".join(user.confirmed_addresses()) or "none"),
            ("Account since", f"{user.date_joined:%Y-%m-%d}"),
            ("Present roles", "; ".join(held) or "none"),
        ]

    def beneficiary(self, request: ChangeRequest) -> User:
        return _named(request)[0]

    def obstacle(self, request: ChangeRequest) -> str:
        user, role, tier = _named(request)
        if not user.is_active or user.suspended_at is not None:
            return "the account is closed or suspended"
        if RoleAssignment.objects.filter(user=user, role=role, tier=tier).exists():
            return "the account holds this role already"
        return ""

    def execute(self, request: ChangeRequest) -> None:
        user, role, tier = _named(request)
        RoleAssignment.objects.assign(
            user, role, tier, by=request.requester, confirmed_by=request.decided_by
        )


def _named(request: ChangeRequest) -> tuple[User, Role, Tier | None]:
    values = request.parameters
    user = User.objects.get(public_id=values["user"])
    tier = Tier.objects.get(pk=values["tier"]) if values["tier"] else None
    return user, Role(values["role"]), tier
