"""A worker's exclusive claim on rows that have a `leased_until` column."""

import time
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from weights.integrity.models import ScrubTurn, StoreSurvey
from weights.storage.models import Blob, unleased
from weights.uploads.models import Upload

#: A worker that does not renew its lease for this long loses the row to another one.
LENGTH = timedelta(seconds=settings.VERIFICATION_LEASE)
#: Seconds between two renewals; a worker that lost its lease stops within this time.
RENEW_SECONDS = 5.0

R = TypeVar("R", bound=models.Model)


class LeaseLost(Exception):
    """Another worker took over the row, so this worker's result does not count."""


class Lease(Generic[R]):
    """The claim on `rows`, usually one; it is held or lost as a whole.

    Its end, in microseconds, distinguishes it from other leases.
    """

    def __init__(self, rows: Sequence[R], until: datetime) -> None:
        self.rows = rows
        self._until = until
        self._renew_at = time.monotonic() + RENEW_SECONDS

    @property
    def row(self) -> R:
        (row,) = self.rows
        return row

    def renew(self, **changes: object) -> None:
        """Extend the lease and write `changes` to the rows; raises LeaseLost."""
        until = timezone.now() + LENGTH
        if self._own().update(leased_until=until, **changes) < len(self.rows):
            raise LeaseLost
        self._until = until
        self._renew_at = time.monotonic() + RENEW_SECONDS

    def renew_if_due(self) -> bool:
        """Renew if RENEW_SECONDS have passed; returns True if renewed, raises LeaseLost."""
        if time.monotonic() < self._renew_at:
            return False
        self.renew()
        return True

    def lock(self) -> R:
        """Return the row, locked until the transaction ends; raises LeaseLost."""
        (row,) = self.lock_all()
        return row

    def lock_all(self) -> list[R]:
        """Return the rows, locked until the transaction ends; raises LeaseLost."""
        locked = list(self._own().select_for_update().order_by("pk"))
        if len(locked) < len(self.rows):
            raise LeaseLost
        return locked

    def release(self, **changes: object) -> None:
        """End the lease and write `changes` to the rows, unless another worker took them over."""
        self._own().update(leased_until=None, **changes)

    def _own(self) -> "models.QuerySet[R]":
        rows = type(self.rows[0])._default_manager
        return rows.filter(pk__in=[row.pk for row in self.rows], leased_until=self._until)


def acquire(rows: "models.QuerySet[R]", pk: int, **changes: object) -> Lease[R] | None:
    """Lease one of `rows` by id and write `changes` to it; None if it is not free."""
    return acquire_all(rows, [pk], **changes)


def acquire_all(
    rows: "models.QuerySet[R]", pks: Collection[int], **changes: object
) -> Lease[R] | None:
    """Lease the free ones of `rows` with these ids, in one claim; None if none is free."""
    now = timezone.now()
    until = now + LENGTH
    count = rows.filter(unleased(now), pk__in=pks).update(leased_until=until, **changes)
    # `found` has more rows if another worker leased some in the same microsecond: neither counts.
    found = rows.model._default_manager.filter(pk__in=pks, leased_until=until).order_by("pk")
    leased = list(found) if count else []
    return Lease(leased, until) if leased and len(leased) == count else None


def expire_all() -> None:
    """End every lease, because the workers that hold them are gone.

    A worker that is still running loses its lease, and its result does not count.
    """
    now = timezone.now()
    for model in (Blob, ScrubTurn, StoreSurvey, Upload):
        model._default_manager.filter(leased_until__gt=now).update(leased_until=now)
