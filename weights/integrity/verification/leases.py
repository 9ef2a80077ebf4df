"""One worker's claim on a blob, renewed while it works and asked before it writes."""

import time
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from weights.storage.models import Blob

#: How long a worker may be silent before another takes its blob over.
LEASE = timedelta(seconds=settings.VERIFICATION_LEASE)
#: Seconds between two signs of life of a worker.
SIGN_OF_LIFE = 5.0


class LeaseLost(Exception):
    """Another worker took the blob over; this one's result no longer counts."""


class Lease:
    """The claim on `blob`, good until `until` unless it is renewed before."""

    def __init__(self, blob: Blob, until: datetime) -> None:
        self.blob = blob
        self.until = until
        self._next_sign = time.monotonic() + SIGN_OF_LIFE

    def is_time_for_a_sign(self) -> bool:
        """Whether to show progress and renew, which costs two statements, now."""
        if time.monotonic() < self._next_sign:
            return False
        self._next_sign = time.monotonic() + SIGN_OF_LIFE
        return True

    def renew(self, **facts: object) -> None:
        """Hold on for another while, and note `facts` of the blob; raises LeaseLost."""
        until = timezone.now() + LEASE
        held = Blob.objects.filter(pk=self.blob.pk, leased_until=self.until)
        if not held.update(leased_until=until, **facts):
            raise LeaseLost
        self.until = until

    def locked(self) -> Blob:
        """The blob's row, locked for the transaction that writes the result; raises LeaseLost."""
        locked = Blob.objects.select_for_update().get(pk=self.blob.pk)
        if locked.leased_until != self.until:
            raise LeaseLost
        return locked


def claim(blobs: "models.QuerySet[Blob]", blob_id: int, **facts: object) -> Lease | None:
    """A lease on the blob of this id; None if it is not among `blobs` or another holds it."""
    now = timezone.now()
    free = models.Q(leased_until=None) | models.Q(leased_until__lte=now)
    until = now + LEASE
    if not blobs.filter(free, pk=blob_id).update(leased_until=until, **facts):
        return None
    return Lease(Blob.objects.get(pk=blob_id), until)
