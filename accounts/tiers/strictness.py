"""Compares how strict tiers are: access mode, approvals needed, inspection rule, other terms."""

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
#: The fields that can open a tier to more people, or for longer.
FIELDS = (*_RANKS, "licence", "blocked_countries", "term_days")


def rank(tier: Tier) -> tuple[int, ...]:
    """Return a sort key by which the strictest tier is the largest."""
    return tuple(of(tier) for of in _RANKS.values())


def is_raised(before: str, after: str) -> bool:
    """True if the access mode `after` is stricter than `before`."""
    return _ORDER.index(AccessMode(after)) > _ORDER.index(AccessMode(before))


def lowered_fields(before: Tier, after: Tier) -> list[str]:
    """Return the fields in which `after` is laxer than `before`."""
    return [name for name, rank in _RANKS.items() if rank(after) < rank(before)]


def opened_fields(before: Tier, after: Tier) -> list[str]:
    """Return the fields in which `after` admits more people, or for longer, than `before`.

    Another licence always counts, because code cannot compare texts. Adding a first licence does
    not count, nor does removing the licence, which requires a change of the mode.
    """
    opened = {
        "licence": None not in {before.licence_id, after.licence_id}
        and before.licence_id != after.licence_id,
        "blocked_countries": bool(before.excluded_countries.keys() - after.excluded_countries),
        "term_days": after.term_days > before.term_days,
    }
    return lowered_fields(before, after) + [name for name, is_open in opened.items() if is_open]
