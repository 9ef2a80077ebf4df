"""The receipt for an ended or suspended grant: which issued links still work, and until when."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.grants.models import Grant
from accounts.release_interface import Address, releases

#: Maximum URLs that a mail or page lists; the others are only counted.
MAX_LISTED = 20


@dataclass(frozen=True)
class Receipt:
    """The download URLs issued for a grant, as of `at`, when access ended.

    By `bound`, every storage URL issued before has expired, listed or not.
    """

    at: datetime
    bound: datetime
    addresses: tuple[Address, ...]

    @property
    def alive(self) -> list[Address]:
        """URLs that still work, longest-lived first."""
        return [address for address in self.addresses if not address.asks]

    @property
    def refused(self) -> list[Address]:
        """URLs that are now refused."""
        return [address for address in self.addresses if address.asks]

    @property
    def listed(self) -> list[Address]:
        return self.alive[:MAX_LISTED]

    @property
    def unlisted(self) -> int:
        return len(self.alive) - len(self.listed)

    @property
    def counts(self) -> dict[str, object]:
        """Details for the audit event: numbers of URLs, and `bound`."""
        return {
            "alive": len(self.alive),
            "refused": len(self.refused),
            "bound": self.bound.isoformat(timespec="seconds"),
        }


def build_receipt(grant: Grant, now: datetime) -> Receipt:
    """Return the receipt for `grant` at `now`."""
    issued = [one for one in releases().addresses_of(grant, now) if one.ends_at > now]
    issued.sort(key=lambda address: address.ends_at, reverse=True)
    return Receipt(now, now + timedelta(minutes=grant.tier.file_link_minutes), tuple(issued))
