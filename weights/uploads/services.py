"""Uploads: store an object once the portal itself has computed its SHA-256."""

import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from django.db import transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.background.locks import lock_user
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.errors import BlobTooLarge, UploadMissing, UploadPending, UploadRefused
from weights.event_tags import WeightsEvent
from weights.integrity import verification
from weights.publishing.intake import LARGEST_FILE
from weights.storage import BlobStorage, blob_storage
from weights.storage import Upload as StoreUpload
from weights.storage.models import Blob
from weights.storage.protocol import Assembled
from weights.uploads import quotas
from weights.uploads.models import Upload
from weights.uploads.presence import present

#: Seconds between two queries for an upload whose hash is being computed.
_POLL = 0.25
_STARTED = (
    "state",
    "reason",
    "size",
    "staging",
    "part_size",
    "attempts",
    "created_at",
    "touched_at",
)


@transaction.atomic
def start(checkpoint: Checkpoint, person: User, sizes: Mapping[str, int]) -> dict[str, Upload]:
    """Start or continue the uploads of these objects (SHA-256 -> bytes), and return them.

    Extends all live uploads of this person to the checkpoint by a day, since sending may take days
    before the commit. A refused or expired upload starts over, possibly with another size. Raises
    BlobTooLarge, QuotaExceeded, and UploadRefused for another size of an object already sent.
    """
    lock_user(person)
    now = timezone.now()
    existing = Upload.objects.filter(person=person, checkpoint=checkpoint)
    existing.live().update(touched_at=now)
    uploads = {upload.sha256: upload for upload in existing.filter(sha256__in=sizes)}
    starting = []
    for sha256, size in sizes.items():
        _check_size(sha256, size)
        upload = uploads.setdefault(
            sha256, Upload(person=person, checkpoint=checkpoint, sha256=sha256)
        )
        if _starts_over(upload, size):
            starting.append(upload)
    if starting:
        quotas.demand_room(person, sum(sizes[upload.sha256] for upload in starting))
    for upload in starting:
        upload.state, upload.reason, upload.size = Upload.State.RECEIVING, "", sizes[upload.sha256]
        upload.staging, upload.part_size, upload.attempts = "", 0, 0
        upload.created_at = upload.touched_at = now
    Upload.objects.bulk_create([upload for upload in starting if not upload.pk])
    Upload.objects.bulk_update(
        [upload for upload in starting if upload.pk], _STARTED, batch_size=500
    )
    return uploads


def _check_size(sha256: str, size: int) -> None:
    if size > LARGEST_FILE:
        raise BlobTooLarge(
            f"{sha256} has {size} bytes, more than the limit of {LARGEST_FILE} (500 GB); save the"
            " checkpoint in smaller shards"
        )


def _starts_over(upload: Upload, size: int) -> bool:
    """True if the upload must be sent again. Raises UploadRefused if its size differs."""
    if not upload.pk or not upload.is_live or upload.state == Upload.State.REFUSED:
        return True
    if upload.size == size:
        return False
    if upload.state == Upload.State.RECEIVING:
        return True
    raise UploadRefused(f"{upload.sha256} was sent with {upload.size} bytes, not {size}")


def finish(
    checkpoint: Checkpoint,
    person: User,
    sha256: str,
    size: int,
    stream: Iterable[bytes | memoryview],
) -> Upload:
    """Store a stream of `size` bytes as an object that this person uploads to the checkpoint.

    Memory use does not depend on the size. Raises UploadRefused for a wrong length or SHA-256, with
    nothing stored, and the errors of `start` and of the store.
    """
    upload = start(checkpoint, person, {sha256: size})[sha256]
    receive(upload, stream)
    return upload


def receive(upload: Upload, stream: Iterable[bytes | memoryview]) -> None:
    """Store a stream as the object of a started upload; raises the errors of `finish`."""
    with writable_store().receive(upload.size) as temporary:
        check(upload, _copied(stream, temporary.write))
        keep(upload, temporary)


def writable_store() -> BlobStorage:
    """The portal's store; only its first object creates it (see `publishing.intake`)."""
    storage = blob_storage()
    if not Blob.objects.exists():
        storage.create()
    return storage


def _copied(
    stream: Iterable[bytes | memoryview], write: Callable[[bytes | memoryview], None]
) -> Iterator[bytes | memoryview]:
    for block in stream:
        yield block
        write(block)


def check(upload: Upload, blocks: Iterable[bytes | memoryview]) -> None:
    """Read all blocks; raise UploadRefused unless they have the size and hash of the upload.

    A wrong hash ends the upload with an audit event; after a wrong size it may be sent again.
    """
    digest = hashlib.sha256()
    count = 0
    for block in blocks:
        count += len(block)
        if count > upload.size:
            raise UploadRefused(f"{upload.sha256}: more than the announced {upload.size} bytes")
        digest.update(block)
    if count != upload.size:
        raise UploadRefused(
            f"{upload.sha256}: {count} of the announced {upload.size} bytes arrived; send it again"
        )
    if digest.hexdigest() != upload.sha256:
        error = UploadRefused(
            f"the bytes sent as {upload.sha256} have the SHA-256 {digest.hexdigest()}; the file"
            " changed while it was being sent, or was damaged on the way: send it again"
        )
        refuse(upload, str(error))
        raise error


@transaction.atomic
def refuse(upload: Upload, reason: str) -> None:
    """Mark an upload as refused, because its bytes are wrong or unreadable."""
    unfinished = Upload.objects.filter(
        pk=upload.pk, state__in=[Upload.State.RECEIVING, Upload.State.RECEIVED]
    )
    if unfinished.update(state=Upload.State.REFUSED, reason=reason[:500], leased_until=None):
        AuditEvent.record(
            WeightsEvent.UPLOAD_REFUSED,
            actor=upload.person,
            target=upload.checkpoint or upload,
            result="failed",
            details={"sha256": upload.sha256, "size": upload.size, "reason": reason[:500]},
        )


def keep(upload: Upload, checked: StoreUpload | Assembled) -> None:
    """Store checked bytes as a blob, unless the store has a verified, unchanged copy."""
    blob = Blob.objects.filter(sha256=upload.sha256).first()
    check_again = name_object(upload.sha256, checked, blob, blob_storage())
    complete([upload], [upload.sha256] if check_again else [])


def finish_contents(checkpoint: Checkpoint, person: User, contents: Collection[bytes]) -> None:
    """Store small contents as this person's uploads, with few queries; raises as `start` does."""
    if not contents:
        return
    by_hash = {hashlib.sha256(content).hexdigest(): content for content in contents}
    sizes = {sha256: len(content) for sha256, content in by_hash.items()}
    uploads = start(checkpoint, person, sizes)
    storage = writable_store()
    blobs = Blob.objects.in_bulk(list(by_hash), field_name="sha256")
    changed = []
    for sha256, content in by_hash.items():
        with storage.receive(len(content)) as temporary:
            temporary.write(content)
            if name_object(sha256, temporary, blobs.get(sha256), storage):
                changed.append(sha256)
    complete(uploads.values(), changed)


def name_object(
    sha256: str, checked: StoreUpload | Assembled, blob: Blob | None, storage: BlobStorage
) -> bool:
    """Store checked bytes under their hash. True if they replace bad ones and need verification."""
    found = storage.stat(sha256)
    whole = blob is not None and found is not None and not blob.change(found, storage.address)
    if not (blob and whole and blob.state == Blob.State.VERIFIED):
        checked.commit(sha256)
    return blob is not None and (blob.state == Blob.State.QUARANTINED or not whole)


@transaction.atomic
def complete(uploads: Collection[Upload], changed: Collection[str]) -> None:
    """Mark uploads as complete, and verify the replaced blobs `changed` again."""
    for sha256 in changed:
        verification.verify_replaced(sha256)
    for upload in uploads:
        upload.state = Upload.State.COMPLETE
    now = timezone.now()
    completed = Upload.objects.filter(pk__in=[upload.pk for upload in uploads])
    completed.update(
        state=Upload.State.COMPLETE, reason="", touched_at=now, completed_at=now, leased_until=None
    )


def wait_for(
    checkpoint: Checkpoint, person: User, sha256s: Collection[str], seconds: float = 50
) -> dict[str, int]:
    """Wait until all these objects are hashed; returns their sizes in bytes.

    Call it outside a transaction. Raises UploadMissing for an object that is not present,
    UploadRefused for one with wrong bytes, and UploadPending if a hash is not computed within
    `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        sizes = present(checkpoint, person, sha256s)
        missing = sorted(set(sha256s) - sizes.keys())
        if not missing:
            return sizes
        _refuse_ended(checkpoint, person, missing)
        if time.monotonic() > deadline:
            raise UploadPending(
                f"the SHA-256 of {missing[0]} is still being computed; run the same command again"
                " in a few minutes; it does not send the bytes again"
            )
        time.sleep(_POLL)


def _refuse_ended(checkpoint: Checkpoint, person: User, missing: list[str]) -> None:
    """Raise unless each missing object is being hashed or was completed since the last query."""
    live = Upload.objects.live().filter(checkpoint=checkpoint, person=person)
    uploads = {upload.sha256: upload for upload in live.filter(sha256__in=missing)}
    for sha256 in missing:
        upload = uploads.get(sha256)
        if upload is None or upload.state == Upload.State.RECEIVING:
            raise UploadMissing(
                f"the object {sha256} was not uploaded to {checkpoint}; upload it first"
            )
        if upload.state == Upload.State.REFUSED:
            raise UploadRefused(upload.reason)
    completed = [sha256 for sha256 in missing if uploads[sha256].state == Upload.State.COMPLETE]
    quarantined = Blob.objects.filter(state=Blob.State.QUARANTINED, sha256__in=completed)
    if blob := quarantined.order_by("sha256").first():
        raise UploadRefused(
            f"the bytes of {blob.sha256} are in quarantine: {blob.quarantine_reason}"
        )
