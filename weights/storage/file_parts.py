"""Stages multipart uploads as files, next to the unfinished uploads of a local store."""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from weights.errors import UploadRefused
from weights.storage.folder_store import FileStorage, FileUpload
from weights.storage.protocol import Part

_BUFFER = 1024 * 1024


class FileParts:
    """The part store of a local store, with one file per part."""

    def __init__(self, store: FileStorage) -> None:
        self._store = store

    def begin(self) -> str:
        return uuid.uuid4().hex

    def urls(self, name: str, count: int, seconds: int) -> None:
        return None

    @contextmanager
    def receive(self, name: str, number: int) -> Iterator["PartFile"]:
        with self._store.receive() as upload:
            yield PartFile(upload, self._path(name, number))

    def close(self, name: str, parts: Sequence[Part]) -> None:
        for part in parts:
            path = self._path(name, part.number)
            with self._store.translated_errors():
                found = path.stat() if path.exists() else None
            if found is None or found.st_size != part.size or _etag(found) != part.etag:
                raise part.refusal()

    @contextmanager
    def assembled(self, name: str, count: int) -> Iterator["_Copied"]:
        with self._store.receive() as upload:
            yield _Copied(upload, [self._path(name, 1 + index) for index in range(count)])

    def discard(self, name: str) -> None:
        with self._store.translated_errors():
            for path in self._store.staging_folder.glob(f"{name}.*"):
                path.unlink(missing_ok=True)

    def _path(self, name: str, number: int) -> Path:
        return self._store.staging_folder / f"{name}.{number}"


class PartFile:
    """A part that is being received into a temporary file."""

    def __init__(self, upload: FileUpload, path: Path) -> None:
        self._upload = upload
        self._path = path
        self.write = upload.write

    def keep(self) -> str:
        return _etag(self._upload.move_to(self._path))


class _Copied:
    """Copies the parts, while they are read, into a new file that nothing else writes to."""

    def __init__(self, upload: FileUpload, paths: list[Path]) -> None:
        self._upload = upload
        self._paths = paths

    def blocks(self) -> Iterator[memoryview]:
        buffer = memoryview(bytearray(_BUFFER))
        for number, path in enumerate(self._paths, 1):
            try:
                with path.open("rb", buffering=0) as part:
                    while count := part.readinto(buffer):
                        self._upload.write(buffer[:count])
                        yield buffer[:count]
            except FileNotFoundError as error:
                raise UploadRefused(f"part {number} is gone; send the file again") from error

    def commit(self, sha256: str) -> None:
        self._upload.commit(sha256)


def _etag(found: os.stat_result) -> str:
    """An entity tag that changes whenever a part is sent again."""
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"
