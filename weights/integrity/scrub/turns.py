"""Whose turn it is to read, and how fast: any number of workers, one rate for all of them.

There are `SCRUB_AT_ONCE` turns, each with its share of the rate; a worker leases one, so two
never read faster together than one may. Other work finds its threads free meanwhile.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from weights.integrity.models import ScrubTurn

#: How long a holder may be silent before another takes the turn.
LEASE = timedelta(minutes=3)
#: Seconds between two signs of life.
SIGN_OF_LIFE = 20.0


class Turn:
    """One or more turns that somebody holds; tells how fast to go on."""

    def __init__(self, holder: str, count: int, sleep: Callable[[float], None]) -> None:
        self.rate = settings.SCRUB_BYTES_PER_SECOND * count / settings.SCRUB_AT_ONCE
        self.lost = False
        self._holder = holder
        self._sleep = sleep
        self._paid_until = self._last_sign = time.monotonic()

    def passed(self, count: int) -> None:
        """So many bytes were read: sleep until as many may go by, and stay alive."""
        now = time.monotonic()
        self._paid_until = max(self._paid_until, now) + count / self.rate
        self.alive()
        if self._paid_until > now:
            self._sleep(self._paid_until - now)

    def alive(self) -> None:
        """Renew the lease now and then; `lost` once another has taken the turn."""
        if time.monotonic() < self._last_sign + SIGN_OF_LIFE:
            return
        self._last_sign = time.monotonic()
        held = ScrubTurn.objects.filter(holder=self._holder)
        self.lost = not held.update(leased_until=timezone.now() + LEASE)


@contextmanager
def taken(
    most: int | None = None, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Turn | None]:
    """Hold up to `most` free turns (all of them if None); None when there is none."""
    holder = uuid.uuid4().hex
    count = _take(holder, settings.SCRUB_AT_ONCE if most is None else most)
    try:
        yield Turn(holder, count, sleep) if count else None
    finally:
        ScrubTurn.objects.filter(holder=holder).update(holder="", leased_until=None)


def _take(holder: str, most: int) -> int:
    now = timezone.now()
    free = models.Q(leased_until=None) | models.Q(leased_until__lte=now)
    count = 0
    for number in range(1, settings.SCRUB_AT_ONCE + 1):
        if count == most:
            break
        ScrubTurn.objects.get_or_create(number=number)
        turn = ScrubTurn.objects.filter(free, number=number)
        count += turn.update(holder=holder, leased_until=now + LEASE)
    return count
