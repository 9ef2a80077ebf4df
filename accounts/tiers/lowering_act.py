"""The act of lowering a tier's gate, which a second person must confirm."""

from django.urls import reverse

from accounts.change_requests.acts import Act, Change, Description
from accounts.change_requests.models import ChangeRequest
from accounts.roles.permissions import Role
from accounts.tiers import services
from accounts.tiers.models import Tier


class LowerTier(Act):
    name, title = services.LOWER, "Lower the gate of a tier"
    requesters = frozenset({Role.RELEASE_OWNER, Role.ADMINISTRATOR})
    confirmers = requesters | {Role.LEAD_REVIEWER}

    def describe(self, request: ChangeRequest) -> Description:
        tier = _tier(request)
        changes = [
            Change(services.LABELS[name], *(_text(tier, name, value) for value in values))
            for name, values in request.parameters.items()
        ]
        parts = [
            f"{one.label.lower()} from {one.before or 'none'} to {one.after or 'none'}"
            for one in changes
        ]
        return Description(
            f"Lower the gate of {tier}: {'; '.join(parts)}",
            changes,
            reverse("admin:accounts_tier_change", args=[tier.pk]),
        )

    def obstacle(self, request: ChangeRequest) -> str:
        return services.changed_since(_tier(request), request.parameters)

    def execute(self, request: ChangeRequest) -> None:
        services.lower(_tier(request), request.parameters, by=request.requester)


def _tier(request: ChangeRequest) -> Tier:
    return Tier.objects.select_related("licence").get(pk=request.object_id)


def _text(tier: Tier, name: str, value: object) -> str:
    """Return the value as the public history shows it."""
    return services.public_terms(services.with_value(tier, name, value))[name]
