"""Where blobs live: one protocol, as files of a folder or as objects of an S3 bucket."""

from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings

from weights.storage.files import FileStorage
from weights.storage.protocol import BlobStorage, Upload
from weights.storage.s3 import S3Storage

__all__ = ["BlobStorage", "Upload", "blob_storage"]


def blob_storage() -> BlobStorage:
    """The store that `WEIGHTS_STORAGE` names; one for the life of the process."""
    return _store(
        settings.WEIGHTS_STORAGE, settings.S3_ENDPOINT_URL, settings.S3_PUBLIC_ENDPOINT_URL
    )


@lru_cache(maxsize=8)
def _store(address: str, endpoint: str | None, public_endpoint: str | None) -> BlobStorage:
    where = urlsplit(address)
    if where.scheme == "s3":
        prefix = where.path.strip("/")
        return S3Storage(where.netloc, prefix, endpoint=endpoint, public_endpoint=public_endpoint)
    return FileStorage(Path(unquote(where.path)))
