"""What a closed grant leaves open, and until when: told to whoever closed it.

Other apps hand out the addresses, so they are asked by the signal `addresses_asked`, in the
transaction that closes the grant.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from accounts.signals import addresses_asked

if TYPE_CHECKING:
    from accounts.grants.models import Grant

#: Addresses that a mail or a page lists; the rest is counted.
LISTED = 20


@dataclass(frozen=True)
class Address:
    """One address that was given on a grant; `name` is what it opens, never the address.

    `asks` says that it asks the gate at every use, so that it is refused from now on; any
    other works until `ends_at`.
    """

    name: str
    ends_at: datetime
    asks: bool


@dataclass(frozen=True)
class Receipt:
    """The addresses that a grant had given when it was closed.

    `bound` is when the last storage address that was given before has died, whether or not it
    is listed.
    """

    at: datetime
    bound: datetime
    addresses: tuple[Address, ...]

    @property
    def alive(self) -> list[Address]:
        """Those that still work, the longest-lived first."""
        return [one for one in self.addresses if not one.asks]

    @property
    def refused(self) -> list[Address]:
        """Those that are refused from now on."""
        return [one for one in self.addresses if one.asks]

    @property
    def listed(self) -> list[Address]:
        return self.alive[:LISTED]

    @property
    def unlisted(self) -> int:
        return len(self.alive) - len(self.listed)

    @property
    def counts(self) -> dict[str, object]:
        """For the audit trail: how many, and the last second."""
        return {
            "alive": len(self.alive),
            "refused": len(self.refused),
            "bound": self.bound.isoformat(timespec="seconds"),
        }


def of(grant: "Grant", now: datetime) -> Receipt:
    """Ask every app what it has given on this grant."""
    answers: list[tuple[Any, Any]] = addresses_asked.send(type(grant), grant=grant, now=now)
    given: list[Address] = [address for _, addresses in answers for address in addresses]
    found = [address for address in given if address.ends_at > now]
    found.sort(key=lambda one: one.ends_at, reverse=True)
    return Receipt(now, now + timedelta(minutes=grant.tier.file_link_minutes), tuple(found))
