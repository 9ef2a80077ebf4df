"""Bytes that may no longer be what was verified: closed at once where they were written to.

The check that follows finds out; its result opens them again or puts them into quarantine.
A file of which only the ctime changed (chmod, a hard link of a backup) is served meanwhile.
"""

import logging

from django.db import transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.background.queueing import queue_after_commit
from weights.errors import BlobChanged, BlobMissing
from weights.storage import BlobStorage, Stored
from weights.storage.models import Blob

log = logging.getLogger(__name__)

TASK = "weights.verify_blob"


def demand_unchanged(found: Stored | None, blob: Blob, storage: BlobStorage) -> None:
    """Raise BlobMissing or BlobChanged unless the store's word is that of the last good check.

    Where only the ctime differs it queues a check and raises nothing.
    """
    if found is None:
        raise BlobMissing(f"the store holds no blob {blob.sha256}")
    if why := blob.change(found, storage.address):
        raise BlobChanged(why)
    if blob.is_touched(found, storage.address):
        ask(blob)


@transaction.atomic
def close(blob: Blob, why: str) -> bool:
    """Give a verified blob to nobody until it was read anew; False if that was done before."""
    verified = Blob.objects.filter(pk=blob.pk, state=Blob.State.VERIFIED)
    now = timezone.now()
    if not verified.update(state=Blob.State.HASHING, check_due_at=now, attempts=0):
        return False
    details = {"sha256": blob.sha256, "reason": why}
    AuditEvent.record("blob.suspected", target=blob, result="failed", details=details)
    log.error("%s is read anew before anybody gets it: %s", blob, why)
    queue_after_commit(TASK, blob.pk)
    return True


@transaction.atomic
def ask(blob: Blob) -> bool:
    """Queue a check of a verified blob, which is served meanwhile; False if one is due already.

    Of one that seems lost it finds out whether a disk is only away.
    """
    quiet = Blob.objects.filter(pk=blob.pk, state=Blob.State.VERIFIED, check_due_at=None)
    if not quiet.update(check_due_at=timezone.now(), attempts=0):
        return False
    queue_after_commit(TASK, blob.pk)
    return True
