"""Multipart uploads: parts arrive in any order, the client completes them, a worker hashes them.

Hashing hundreds of gigabytes takes longer than a request may. Until a worker has done it, the
upload is RECEIVED, and the parts stay in the store's staging area.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta

from django.db import models, transaction
from django.db.models import F
from django.utils import timezone

from accounts.background.periodic import queue_each
from accounts.background.queueing import queue_after_commit
from weights.errors import BlobMissing, UploadRefused
from weights.integrity import lease as leases
from weights.integrity import shutdown
from weights.integrity.lease import Lease, LeaseLost
from weights.integrity.shutdown import Stopped
from weights.storage import part_store
from weights.storage.models import unleased
from weights.storage.protocol import Assembled, Part
from weights.task_names import WeightsTask
from weights.uploads.models import Upload
from weights.uploads.services import check, keep, refuse, writable_store
from weights.uploads.xet.rebuild import forget_recipes, rebuilt

log = logging.getLogger(__name__)


#: Bytes of a part, or more if there would be over MOST_PARTS; smaller objects are sent whole.
PART_SIZE = 64 * 1024 * 1024
MOST_PARTS = 1000
#: Age at which an incomplete upload starts over, since stores delete parts after a day.
_PARTS_AGE = timedelta(hours=12)
#: Attempts to hash an upload before it is refused.
_TRIES = 6
_BATCH = 200


def stage(upload: Upload) -> None:
    """Create a staging place for the upload's parts, unless it has a recent one."""
    if upload.staging and upload.created_at > timezone.now() - _PARTS_AGE:
        return
    writable_store()
    parts = part_store()
    if upload.staging:
        parts.discard(upload.staging)
    name = parts.begin()
    unchanged = Upload.objects.filter(pk=upload.pk, staging=upload.staging)
    size = max(PART_SIZE, -(-upload.size // MOST_PARTS))
    if not unchanged.update(staging=name, part_size=size, created_at=timezone.now()):
        parts.discard(name)  # another batch created one meanwhile
    upload.refresh_from_db(fields=["staging", "part_size", "created_at"])


def part_length(upload: Upload, number: int) -> int:
    """Bytes of a part, counted from 1; raises UploadRefused if there is no such part."""
    if not 1 <= number <= upload.part_count:
        raise UploadRefused(f"this object has only {upload.part_count} parts, so no part {number}")
    return min(upload.part_size, upload.size - (number - 1) * upload.part_size)


def receive_part(upload: Upload, number: int, stream: Iterable[bytes]) -> str:
    """Stage one part in a local store, replacing any earlier one; returns its entity tag.

    Raises UploadRefused for a wrong length, with nothing stored, and the errors of the store.
    """
    length = part_length(upload, number)
    with part_store().receive(upload.staging, number) as part:
        count = 0
        for block in stream:
            count += len(block)
            part.write(block)
        if count != length:
            raise UploadRefused(f"part {number} has {count} bytes instead of {length}")
        return part.keep()


def complete_parts(upload: Upload, etags: Sequence[tuple[int, str]]) -> None:
    """Complete an upload whose parts were all sent, and queue its hashing. Idempotent.

    `etags` holds the number and entity tag of each part. Raises UploadRefused unless the store has
    exactly these parts.
    """
    if upload.state in {Upload.State.RECEIVED, Upload.State.COMPLETE}:
        return
    numbers = sorted(number for number, _ in etags)
    is_open = upload.state == Upload.State.RECEIVING and upload.staging
    if not is_open or numbers != list(range(1, upload.part_count + 1)):
        raise UploadRefused(f"send parts 1 to {upload.part_count} once each, then list them all")
    parts = [Part(number, etag, part_length(upload, number)) for number, etag in sorted(etags)]
    part_store().close(upload.staging, parts)
    with transaction.atomic():
        receiving = Upload.objects.filter(pk=upload.pk, state=Upload.State.RECEIVING)
        receiving.update(state=Upload.State.RECEIVED, touched_at=timezone.now())
        queue_after_commit(WeightsTask.HASH_UPLOAD, upload.pk)


def hash_object(upload_id: int) -> None:
    """Hash a received upload and store it as a blob, or refuse the upload.

    Skips an upload that another worker has leased. Raises the errors of the store; the sweep then
    queues the upload again, until it is refused after `_TRIES` attempts.
    """
    lease = leases.acquire(
        Upload.objects.filter(state=Upload.State.RECEIVED), upload_id, attempts=F("attempts") + 1
    )
    if lease is None:
        return
    upload = lease.row
    try:
        if upload.checkpoint is None:
            raise UploadRefused("its checkpoint was deleted")
        if upload.attempts > _TRIES:
            raise UploadRefused(
                f"the store could not read or save {upload.sha256} in {_TRIES} attempts; ask the"
                " operator to look at the log, then send it again"
            )
        with _assembled(upload) as parts:
            check(upload, renewing(parts.blocks(), lease))
            lease.renew()
            keep(upload, parts)
    except (LeaseLost, Stopped):
        lease.release()
        return
    except (UploadRefused, BlobMissing) as error:
        refuse(upload, str(error))
    except Exception:
        lease.release()
        raise
    if upload.staging:
        part_store().discard(upload.staging)
    else:
        forget_recipes(upload.person, upload.checkpoint, Upload.objects.filter(pk=upload.pk))


def _assembled(upload: Upload) -> AbstractContextManager[Assembled]:
    """The object's parts, or the chunks of Xet that make it up."""
    if upload.staging:
        return part_store().assembled(upload.staging, upload.part_count)
    return rebuilt(upload)


def renewing(
    blocks: Iterable[bytes | memoryview], lease: Lease[Upload]
) -> Iterator[bytes | memoryview]:
    """Yields the blocks and renews the lease meanwhile; raises LeaseLost and Stopped."""
    for block in blocks:
        shutdown.demand_running()
        lease.renew_if_due()
        yield block


def queue_lost() -> None:
    """Queue the hashing of received uploads that no worker has leased."""
    received = Upload.objects.filter(unleased(timezone.now()), state=Upload.State.RECEIVED)
    queue_each(WeightsTask.HASH_UPLOAD, _older(received), _BATCH)


def _older(received: "models.QuerySet[Upload]") -> "models.QuerySet[Upload]":
    """Leave out recent ones, whose first message is still in the queue."""
    return received.filter(touched_at__lt=timezone.now() - timedelta(seconds=20))
