"""The blob store: one interface to files in a folder or objects in an S3 bucket."""

import re
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit

from django.conf import settings

from weights.errors import InvalidAddress
from weights.storage.cdn import Cdn
from weights.storage.file_parts import FileParts
from weights.storage.folder_store import FileStorage
from weights.storage.protocol import BlobStorage, PartStore, StoredObject, Upload

if TYPE_CHECKING:
    from weights.storage.s3.checksums import Checksums

__all__ = [
    "BlobStorage",
    "PartStore",
    "StoredObject",
    "Upload",
    "blob_storage",
    "part_store",
    "prepare",
    "store_at",
]

#: Imported on demand, since boto3 costs each process 20 MB and a sixth of a second.
_S3 = "weights.storage.s3"
#: Creating an S3 client takes a quarter of a second. The lock keeps a process's first requests,
#: which hold database connections, from each creating their own.
_CREATING = Lock()
_ADDRESS = re.compile(r"file:///.+|s3://[a-z0-9][a-z0-9.-]{2,62}(/.*)?")


def prepare() -> None:
    """Import the store's modules before processes fork; make a local store private."""
    if urlsplit(settings.WEIGHTS_STORAGE).scheme == "s3":
        import_module(_S3)
    else:
        cast(FileStorage, blob_storage()).make_private()


def blob_storage() -> BlobStorage:
    """The store of `WEIGHTS_STORAGE`; one instance per process."""
    return store_at(settings.WEIGHTS_STORAGE)


def part_store() -> PartStore:
    """The staging area of `WEIGHTS_STORAGE` for multipart uploads."""
    storage = blob_storage()
    if isinstance(storage, FileStorage):
        return FileParts(storage)
    parts: PartStore = import_module(_S3).S3Parts(storage)
    return parts


def store_at(address: str) -> BlobStorage:
    """The store at this address, with the endpoints and the CDN from the settings.

    Raises InvalidAddress unless it is `file:///folder` or `s3://bucket/prefix`.
    """
    if not _ADDRESS.fullmatch(address):
        raise InvalidAddress(f"{address!r} is neither file:///folder nor s3://bucket/prefix")
    with _CREATING:
        return _store(
            address,
            settings.S3_ENDPOINT_URL,
            settings.S3_PUBLIC_ENDPOINT_URL,
            settings.S3_CHECKSUMS,
            (settings.CDN_URL, settings.CDN_KEY_ID, settings.CDN_KEY_FILE),
            tuple(settings.S3_SESSION.items()),
        )


@lru_cache(maxsize=8)
def _store(
    address: str,
    endpoint: str | None,
    public_endpoint: str | None,
    checksums: "Checksums",
    cdn: tuple[str, str, str],
    session: tuple[tuple[str, str], ...],
) -> BlobStorage:
    parts = urlsplit(address)
    if parts.scheme == "s3":
        store: BlobStorage = import_module(_S3).S3Storage(
            parts.netloc,
            parts.path.strip("/"),
            endpoint=endpoint,
            public_endpoint=public_endpoint,
            checksums=checksums,
            cdn=Cdn.of_file(*cdn) if cdn[0] else None,
            session=dict(session),
        )
        return store
    return FileStorage(Path(unquote(parts.path)))
