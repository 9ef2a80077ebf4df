"""The receipt of an ended or suspended grant: which issued links still work, and until when."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.grants.models import Grant
from accounts.release_interface import Address, releases

#: Addresses that a mail or page lists; the others are only counted.
MAX_LISTED = 20


@dataclass(frozen=True)
class Receipt:
    """The download addresses issued on a grant, as of the time `at` when access ended.

    By `bound` every storage address issued before, listed or not, has expired.
    """

    at: datetime
    bound: datetime
    addresses: tuple[Address, ...]

    @property
    def alive(self) -> list[Address]:
        """Addresses that still work, the longest-lived first."""
        return [address for address in self.addresses if not address.asks]

    @property
    def refused(self) -> list[Address]:
        """Addresses that are refused from now on."""
        return [address for address in self.addresses if address.asks]

    @property
    def listed(self) -> list[Address]:
        return self.alive[:MAX_LISTED]

    @property
    def unlisted(self) -> int:
        return len(self.alive) - len(self.listed)

    @property
    def counts(self) -> dict[str, object]:
        """Details of the audit event: numbers of addresses, and `bound`."""
        return {
            "alive": len(self.alive),
            "refused": len(self.refused),
            "bound": self.bound.isoformat(timespec="seconds"),
        }


def build_receipt(grant: Grant, now: datetime) -> Receipt:
    """Return the receipt of `grant` at `now`."""
    issued = [one for one in releases().addresses_of(grant, now) if one.ends_at > now]
    issued.sort(key=lambda address: address.ends_at, reverse=True)
    return Receipt(now, now + timedelta(minutes=grant.tier.file_link_minutes), tuple(issued))
