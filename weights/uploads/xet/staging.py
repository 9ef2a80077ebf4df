"""Keeps xorbs in the store's staging area, which holds no blobs and which the store sweeps."""

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Protocol

from weights.errors import BlobMissing, StorageUnavailable
from weights.storage import blob_storage
from weights.storage.folder_store import FileStorage, FileUpload
from weights.uploads.xet.xorb_format import Readable


class Writer(Protocol):
    """A xorb that is being received."""

    def write(self, block: bytes) -> None:
        """Append; raises StorageFull or StorageUnavailable."""

    def keep(self) -> None:
        """Store what was written under its name, replacing any earlier object."""


class XorbStaging(Protocol):
    """Objects of at most 64 MiB by name; every call may raise StorageUnavailable."""

    def receive(self, name: str) -> AbstractContextManager[Writer]:
        """Begin an object; leaving the context without `keep` discards it."""

    def open(self, name: str, start: int, length: int) -> AbstractContextManager[Readable]:
        """Open a range of bytes; raises BlobMissing."""

    def url(self, name: str, length: int, seconds: int) -> str:
        """The URL to which a client may PUT `length` bytes; for buckets only."""

    def discard(self, name: str) -> None:
        """Delete the object, if it exists."""


def xorb_staging() -> XorbStaging:
    """The staging of `WEIGHTS_STORAGE`."""
    storage = blob_storage()
    if isinstance(storage, FileStorage):
        return _FileStaging(storage)
    staging: XorbStaging = import_module("weights.storage.s3.staging").S3Staging(storage)
    return staging


class _FileStaging:
    """Files next to the unfinished uploads of a local store."""

    def __init__(self, store: FileStorage) -> None:
        self._store = store

    @contextmanager
    def receive(self, name: str) -> Iterator["_FileWriter"]:
        with self._store.receive() as upload:
            yield _FileWriter(upload, self._path(name))

    @contextmanager
    def open(self, name: str, start: int, length: int) -> Iterator[io.BufferedReader]:
        with self._store.translated_errors():
            try:
                stream = self._path(name).open("rb")
            except FileNotFoundError as error:
                message = "a xorb is no longer in staging; upload the file again"
                raise BlobMissing(message) from error
        with stream:
            stream.seek(start)
            yield stream

    def url(self, name: str, length: int, seconds: int) -> str:
        raise StorageUnavailable("a local store has no URLs")

    def discard(self, name: str) -> None:
        with self._store.translated_errors():
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._store.staging_folder / f"xorb-{name}"


class _FileWriter:
    def __init__(self, upload: FileUpload, path: Path) -> None:
        self._upload, self._path = upload, path
        self.write = upload.write

    def keep(self) -> None:
        self._upload.move_to(self._path)
