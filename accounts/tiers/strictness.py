"""Compares how strict tiers are: access mode, number of approvals, inspection rule."""

from collections.abc import Callable

from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier

_ORDER = [AccessMode.OPEN, AccessMode.CLICK_THROUGH, AccessMode.REVIEWED]

#: Field of a tier -> its rank; a higher one is stricter.
_RANKS: dict[str, Callable[[Tier], int]] = {
    "mode": lambda tier: _ORDER.index(AccessMode(tier.mode)),
    "approvals_needed": lambda tier: tier.approvals_needed,
    "inspected_only": lambda tier: tier.inspected_only,
}
#: The fields that make a tier strict.
FIELDS = tuple(_RANKS)


def is_raised(before: str, after: str) -> bool:
    """True if the access mode `after` is stricter than `before`."""
    return _ORDER.index(AccessMode(after)) > _ORDER.index(AccessMode(before))


def lowered_fields(before: Tier, after: Tier) -> list[str]:
    """Return the fields in which `after` is laxer than `before`; empty if it is as strict."""
    return [name for name, rank in _RANKS.items() if rank(after) < rank(before)]
