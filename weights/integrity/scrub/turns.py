"""Leased scrub turns, which limit the total rate for any number of workers.

There are `SCRUB_AT_ONCE` turns, each with its share of `SCRUB_BYTES_PER_SECOND`. Each worker
leases one, so together they read no faster than that rate.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings

from weights.integrity import lease, shutdown
from weights.integrity.lease import Lease, LeaseLost
from weights.integrity.models import ScrubTurn


class Turn:
    """One or more leased turns, and the rate that they allow in bytes per second."""

    def __init__(self, leases: list[Lease[ScrubTurn]], sleep: Callable[[float], None]) -> None:
        self.rate = settings.SCRUB_BYTES_PER_SECOND * len(leases) / settings.SCRUB_AT_ONCE
        self.lost = False
        self._leases = leases
        self._sleep = sleep
        self._paid_until = time.monotonic()

    def passed(self, count: int) -> None:
        """Sleep to keep the rate after reading `count` bytes; raises Stopped if a turn is lost."""
        now = time.monotonic()
        self._paid_until = max(self._paid_until, now) + count / self.rate
        self.keep_alive()
        if self.lost:
            raise shutdown.Stopped
        if self._paid_until > now:
            self._sleep(self._paid_until - now)

    def keep_alive(self) -> None:
        """Renew leases that are due; sets `lost` once another worker has taken one."""
        try:
            for one in self._leases:
                one.renew_if_due()
        except LeaseLost:
            self.lost = True


@contextmanager
def taken(
    most: int | None = None, sleep: Callable[[float], None] = shutdown.sleep
) -> Iterator[Turn | None]:
    """Lease up to `most` free turns (all of them if None); yields None if none is free."""
    leases = _acquire(settings.SCRUB_AT_ONCE if most is None else most)
    try:
        yield Turn(leases, sleep) if leases else None
    finally:
        for one in leases:
            one.release()


def _acquire(most: int) -> list[Lease[ScrubTurn]]:
    leases: list[Lease[ScrubTurn]] = []
    for number in range(1, settings.SCRUB_AT_ONCE + 1):
        if len(leases) == most:
            break
        turn, _ = ScrubTurn.objects.get_or_create(number=number)
        leased = lease.acquire(ScrubTurn.objects.all(), turn.pk)
        if leased is not None:
            leases.append(leased)
    return leases
