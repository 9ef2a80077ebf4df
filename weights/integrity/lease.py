"""A worker's exclusive claim on a row that has a `leased_until` column."""

import time
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
    """Another worker took the row over, so the result of this one does not count."""


class Lease(Generic[R]):
    """The claim on `row`; its end, in microseconds, distinguishes it from any other lease."""

    def __init__(self, row: R, until: datetime) -> None:
        self.row = row
        self._until = until
        self._renew_at = time.monotonic() + RENEW_SECONDS

    def renew(self, **changes: object) -> None:
        """Extend the lease, and write `changes` to the row; raises LeaseLost."""
        until = timezone.now() + LENGTH
        if not self._own().update(leased_until=until, **changes):
            raise LeaseLost
        self._until = until
        self._renew_at = time.monotonic() + RENEW_SECONDS

    def renew_if_due(self) -> bool:
        """Renew after RENEW_SECONDS. Returns True if renewed; raises LeaseLost."""
        if time.monotonic() < self._renew_at:
            return False
        self.renew()
        return True

    def lock(self) -> R:
        """Return the row, locked until the transaction ends; raises LeaseLost."""
        locked = self._own().select_for_update().first()
        if locked is None:
            raise LeaseLost
        return locked

    def release(self, **changes: object) -> None:
        """End the lease, and write `changes` to the row, unless another worker took it over."""
        self._own().update(leased_until=None, **changes)

    def _own(self) -> "models.QuerySet[R]":
        rows = type(self.row)._default_manager
        return rows.filter(pk=self.row.pk, leased_until=self._until)


def acquire(rows: "models.QuerySet[R]", pk: int, **changes: object) -> Lease[R] | None:
    """Lease one of `rows` by its id, and write `changes` to it; None if it is not free."""
    now = timezone.now()
    until = now + LENGTH
    if not rows.filter(unleased(now), pk=pk).update(leased_until=until, **changes):
        return None
    return Lease(rows.model._default_manager.get(pk=pk), until)


def expire_all() -> None:
    """End every lease, because the workers that hold them are gone.

    A worker that runs nevertheless loses its lease, and its result does not count.
    """
    now = timezone.now()
    for model in (Blob, ScrubTurn, StoreSurvey, Upload):
        model._default_manager.filter(leased_until__gt=now).update(leased_until=now)
