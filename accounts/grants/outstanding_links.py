"""The receipt of a closed grant: which issued addresses still work, and until when."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.grants.models import Grant
from accounts.release_interface import Address, releases

#: Addresses that a mail or a page lists; the rest is counted.
LISTED = 20


@dataclass(frozen=True)
class Receipt:
    """The addresses issued on a grant, as of the time `at` when it was closed.

    `bound` is when the last storage address issued before has expired, listed or not.
    """

    at: datetime
    bound: datetime
    addresses: tuple[Address, ...]

    @property
    def alive(self) -> list[Address]:
        """Those that still work, the longest-lived first."""
        return [address for address in self.addresses if not address.asks]

    @property
    def refused(self) -> list[Address]:
        """Those that are refused from now on."""
        return [address for address in self.addresses if address.asks]

    @property
    def listed(self) -> list[Address]:
        return self.alive[:LISTED]

    @property
    def unlisted(self) -> int:
        return len(self.alive) - len(self.listed)

    @property
    def counts(self) -> dict[str, object]:
        """Details for the audit trail: numbers of addresses, and when the last one expires."""
        return {
            "alive": len(self.alive),
            "refused": len(self.refused),
            "bound": self.bound.isoformat(timespec="seconds"),
        }


def receipt_of(grant: Grant, now: datetime) -> Receipt:
    """Return the receipt of `grant` at `now`."""
    issued = [one for one in releases().addresses_of(grant, now) if one.ends_at > now]
    issued.sort(key=lambda address: address.ends_at, reverse=True)
    return Receipt(now, now + timedelta(minutes=grant.tier.file_link_minutes), tuple(issued))
