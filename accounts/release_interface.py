"""The interface through which `accounts` calls the app that releases checkpoints.

`accounts` must not import that app. The app implements `ReleaseInterface` and registers one
instance in its `AppConfig.ready`. Every call runs in the caller's transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from accounts.grants.models import Grant
from accounts.tiers.models import Tier
from accounts.users.models import User


@dataclass(frozen=True)
class Address:
    """One download URL issued for a grant; `name` is what it opens, never the URL itself.

    `asks` is True if the gate checks every use, so that the URL stops working when the grant
    ends; others work until `ends_at`.
    """

    name: str
    ends_at: datetime
    asks: bool


@dataclass(frozen=True)
class HardwareFit:
    """Whether a checkpoint fits; `free_percent` of memory remains free, None if not estimated."""

    fits: bool
    free_percent: int | None = None


@dataclass(frozen=True)
class CheckpointSize:
    """A checkpoint's name, without its organisation, and the bytes of its weights in memory."""

    name: str
    size: int

    def fit_on(self, count: int, memory: int) -> HardwareFit:
        """Return the fit on `count` accelerators of `memory` bytes each, for the weights alone.

        The app overrides this if it knows more than the size of a checkpoint.
        """
        return HardwareFit(self.size <= count * memory)


class ReleaseInterface(Protocol):
    """The functions that `accounts` calls; see the module's docstring."""

    def checkpoints_of(self, tier: Tier) -> list[str]:
        """Return the sorted ids (`org/name`) of the checkpoints that this tier opens."""

    def sizes_of(self, tier: Tier) -> list[CheckpointSize]:
        """Return the public checkpoints of this tier whose number of parameters is known."""

    def addresses_of(self, grant: Grant, now: datetime) -> list[Address]:
        """Return the URLs issued for this grant that may still be in use."""

    def issue_links(self, grant: Grant) -> None:
        """Queue the links of a new grant after commit; a periodic sweep queues any missing ones."""

    def end_links(self, person: User, *, by: User | None, sessions_only: bool = False) -> None:
        """Revoke every link of `person`, or with `sessions_only` those requested in a session."""

    def forget_person(self, person: User) -> None:
        """End the links of an erased person and remove their network addresses from the ledger."""


_registered: list[ReleaseInterface] = []


def register(implementation: ReleaseInterface) -> None:
    """Register the implementation that `accounts` calls."""
    _registered[:] = [implementation]


def releases() -> ReleaseInterface:
    """Return the registered implementation. Raises IndexError before an app registers one."""
    return _registered[0]
