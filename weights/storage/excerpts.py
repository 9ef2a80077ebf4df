"""The beginning of a stored file, for what pages and listings show of it themselves."""

from weights.errors import BlobChanged
from weights.integrity import suspension
from weights.storage import BlobStorage
from weights.storage.models import Blob


def read(blob: Blob, most: int, storage: BlobStorage) -> bytes:
    """The first `most` bytes, as long as they are those that were verified.

    Raises BlobChanged for a blob that was written to, which is then closed and read anew;
    BlobMissing and StorageUnavailable as the store does.
    """
    version = blob.served_version(storage)
    content = storage.excerpt(blob.sha256, most, version)
    try:
        # Looked at after reading: what is written until then is seen.
        suspension.demand_unchanged(storage.look(blob.sha256, version), blob, storage)
    except BlobChanged as error:
        suspension.suspend_blob(blob, str(error))
        raise
    return content
