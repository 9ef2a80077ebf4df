"""Forgets uploads that no commit has named within a day, and deletes bytes that nothing names."""

from datetime import timedelta

from django.db import models, transaction
from django.utils import timezone

from accounts.background.periodic import each_locked
from weights.storage import blob_storage, part_store
from weights.storage.models import Blob, IntakeNote, unleased
from weights.uploads.models import UPLOAD_AGE, Upload

#: Time that a worker has to hash the parts of an upload.
_HASHING = timedelta(days=3)


def sweep() -> int:
    """Delete forgotten uploads, their parts, and objects that nothing else names.

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
    """Delete blobs that only discarded drafts had, a day after they were stored.

    Without this an owner could fill the store beyond the quota. Returns the number of blobs.
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
    # Only now: an upload that found the row keeps the bytes by its own.
    transaction.on_commit(lambda: _delete_object(sha256))
    return True


def _delete_object(sha256: str) -> None:
    if not _is_named(sha256):
        blob_storage().delete(sha256)


def _is_old(sha256: str) -> bool:
    """False for bytes that `publish` may have stored today, and records later."""
    found = blob_storage().stat(sha256)
    return found is None or found.modified <= timezone.now() - UPLOAD_AGE


def _is_named(sha256: str, *, besides: int = 0) -> bool:
    """True if a blob, an upload other than `besides` or a run of `publish` has the object.

    An upload has a row before its object has a name. `publish` stores a file before it records
    it, and notes its digests.
    """
    return (
        Blob.objects.filter(sha256=sha256).exists()
        or Upload.objects.filter(sha256=sha256).exclude(pk=besides).exists()
        or IntakeNote.objects.filter(sha256=sha256).exists()
    )
