"""Reads the beginning of a stored file, for pages and listings."""

from weights.errors import BlobChanged
from weights.integrity import suspension
from weights.storage import BlobStorage
from weights.storage.models import Blob


def read(blob: Blob, most: int, storage: BlobStorage) -> bytes:
    """Return the first `most` bytes of a blob that has not changed since its verification.

    Raises BlobChanged, and suspends the blob, if it was modified; raises the store's errors.
    """
    version = blob.served_version(storage)
    content = storage.excerpt(blob.sha256, most, version)
    confirm_unchanged(blob, version, storage)
    return content


def confirm_unchanged(blob: Blob, version: str, storage: BlobStorage) -> None:
    """Raise BlobChanged, and suspend the blob, if it was modified since its verification.

    Call this after reading, to detect every earlier write.
    """
    try:
        suspension.demand_unchanged(storage.stat(blob.sha256, version), blob, storage)
    except BlobChanged as error:
        suspension.suspend_blob(blob, str(error))
        raise
