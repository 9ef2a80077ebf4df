"""Stop serving bytes that may have changed since their verification, until a check reads them.

Changed bytes are suspended at once. If only a file's ctime changed (chmod, a backup's hard
link), it is still served while it is checked.
"""

import logging

from django.db import transaction
from django.utils import timezone

from accounts.background.queueing import queue_after_commit
from accounts.errors import TransitionRefused
from weights.errors import BlobChanged, BlobMissing
from weights.storage import BlobStorage, StoredObject
from weights.storage.models import Blob
from weights.task_names import WeightsTask

log = logging.getLogger(__name__)


def demand_unchanged(found: StoredObject | None, blob: Blob, storage: BlobStorage) -> None:
    """Raise BlobMissing or BlobChanged unless the store has what the last good check read.

    If only the ctime differs, requests a check instead of raising.
    """
    if found is None:
        raise BlobMissing(f"the store has no blob {blob.sha256}")
    if reason := blob.change(found, storage.address):
        raise BlobChanged(reason)
    if blob.is_touched(found, storage.address):
        request_check(blob)


@transaction.atomic
def suspend_blob(blob: Blob, reason: str) -> bool:
    """Stop serving a verified blob until a check has read it again.

    Returns False for a blob in any other state, which is not served anyway.
    """
    try:
        blob.transition(
            "suspend", details={"reason": reason}, check_due_at=timezone.now(), attempts=0
        )
    except TransitionRefused:
        return False
    log.error("%s is suspended until it has been read again: %s", blob, reason)
    queue_after_commit(WeightsTask.VERIFY_BLOB, blob.pk)
    return True


@transaction.atomic
def request_check(blob: Blob) -> bool:
    """Queue a check of a verified blob, which is still served; False if one is already due.

    For a blob that seems lost, the check finds out whether only the disk is missing.
    """
    quiet = Blob.objects.filter(pk=blob.pk, state=Blob.State.VERIFIED, check_due_at=None)
    if not quiet.update(check_due_at=timezone.now(), attempts=0):
        return False
    queue_after_commit(WeightsTask.VERIFY_BLOB, blob.pk)
    return True
