"""Deletes uploads that no commit used within a day, and bytes that nothing refers to."""

from datetime import timedelta

from django.db import models, transaction
from django.utils import timezone

from accounts.background.periodic import each_locked
from weights.storage import blob_storage, part_store
from weights.storage.models import Blob, IntakeNote, unleased
from weights.uploads.models import UPLOAD_AGE, Upload

#: Maximum time for a worker to hash an upload.
_HASHING = timedelta(days=3)


def sweep() -> int:
    """Delete expired uploads, their parts, and objects that nothing else refers to.

    Returns the number of uploads.
    """
    now = timezone.now()
    old = Upload.objects.filter(touched_at__lte=now - UPLOAD_AGE)
    hashing = models.Q(state=Upload.State.RECEIVED, touched_at__gt=now - _HASHING)
    return each_locked("uploads forgotten", old.exclude(hashing), _forget)


def _forget(upload: Upload) -> bool:
    if upload.staging:
        part_store().discard(upload.staging)
    if upload.state == Upload.State.COMPLETE and not _is_named(upload.sha256, besides=upload.pk):
        if not _is_old(upload.sha256):
            return False
        blob_storage().delete(upload.sha256)
    upload.delete()
    return True


def sweep_blobs() -> int:
    """Delete blobs of discarded drafts that nothing else uses, a day after they were stored.

    Otherwise an owner could fill the store beyond the quota. Returns the number of blobs.
    """
    now = timezone.now()
    unused = Blob.objects.filter(unleased(now), files=None, recalls=None, held=False)
    old = unused.filter(created_at__lte=now - UPLOAD_AGE)
    uploads = Upload.objects.filter(sha256=models.OuterRef("sha256"))
    notes = IntakeNote.objects.filter(sha256=models.OuterRef("sha256"))
    unnamed = old.exclude(models.Exists(uploads)).exclude(models.Exists(notes))
    return each_locked("unused blobs", unnamed, _delete_blob)


def _delete_blob(blob: Blob) -> bool:
    if not _is_old(blob.sha256):
        return False
    sha256 = blob.sha256
    blob.delete()
    # After the commit, since a concurrent upload that still saw the blob relies on these bytes.
    transaction.on_commit(lambda: _delete_object(sha256))
    return True


def _delete_object(sha256: str) -> None:
    if not _is_named(sha256):
        blob_storage().delete(sha256)


def _is_old(sha256: str) -> bool:
    """False for bytes that a running `publish` may have stored and not recorded yet."""
    found = blob_storage().stat(sha256)
    return found is None or found.modified <= timezone.now() - UPLOAD_AGE


def _is_named(sha256: str, *, besides: int = 0) -> bool:
    """True if a blob, an upload other than `besides` or a run of `publish` uses the object.

    An upload has a row before its object is stored. `publish` stores a file before it records the
    revision, but notes its digests.
    """
    return (
        Blob.objects.filter(sha256=sha256).exists()
        or Upload.objects.filter(sha256=sha256).exclude(pk=besides).exists()
        or IntakeNote.objects.filter(sha256=sha256).exists()
    )
