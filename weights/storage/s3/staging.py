"""Objects of at most 64 MiB in the bucket's staging area, under names that the caller chooses."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from weights.storage.protocol import StoredObject
from weights.storage.s3.bucket import Bucket, Location
from weights.storage.s3.reader import S3Reader
from weights.storage.s3.store import S3Storage


class S3Staging:
    """Implements `weights.uploads.xet.staging.XorbStaging` for a bucket."""

    def __init__(self, store: S3Storage) -> None:
        self._bucket: Bucket = store
        self._client = store.client
        self._signing = store.signer.client

    @contextmanager
    def receive(self, name: str) -> Iterator["_Writer"]:
        """Receive into a temporary file, because a bucket needs to know an object's length."""
        with tempfile.TemporaryFile() as file:
            yield _Writer(self._bucket, self._location(name), file)

    @contextmanager
    def open(self, name: str, start: int, length: int) -> Iterator[S3Reader]:
        byte_range = f"bytes={start}-{start + length - 1}"
        with self._bucket.translated_errors():
            found = self._client.get_object(**self._location(name), Range=byte_range)
        stored = StoredObject(name, length, found["ETag"], found["LastModified"])
        with S3Reader(found["Body"], "", stored) as stream:
            yield stream

    def url(self, name: str, length: int, seconds: int) -> str:
        with self._bucket.translated_errors():
            return self._signing.generate_presigned_url(
                "put_object",
                Params={**self._location(name), "ContentLength": length},
                ExpiresIn=seconds,
            )

    def discard(self, name: str) -> None:
        self._bucket.discard(self._location(name))

    def _location(self, name: str) -> Location:
        return self._bucket.staged(f"xorb-{name}")


class _Writer:
    def __init__(self, bucket: Bucket, location: Location, file: IO[bytes]) -> None:
        self._bucket, self._location, self._file = bucket, location, file

    def write(self, block: bytes) -> None:
        self._file.write(block)

    def keep(self) -> None:
        self._file.seek(0)
        with self._bucket.translated_errors():
            self._bucket.client.put_object(**self._location, Body=self._file)
