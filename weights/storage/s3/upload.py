"""Uploads to a bucket: small objects with one request, large ones in parts."""

from contextlib import suppress
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from weights.errors import BlobTooLarge, StorageUnavailable
from weights.storage.s3.bucket import Bucket, version
from weights.storage.s3.checksums import algorithm, checksum

#: Bytes of each part, or more if there would be over MOST_PARTS.
PART_SIZE = 32 * 1024 * 1024
#: Limits of S3: parts of an upload, and bytes of an object.
MOST_PARTS = 10_000
LARGEST = 5 * 1024**4


def part_size(size: int) -> int:
    """Bytes of each part of an object of `size` bytes, all equal, as some stores require.

    Raises BlobTooLarge.
    """
    if size > LARGEST:
        raise BlobTooLarge(
            f"S3 cannot store an object of {size} bytes (limit: {LARGEST}); publish it in shards"
        )
    return max(PART_SIZE, -(-size // MOST_PARTS))


class S3Upload:
    """Collects parts of `size` bytes in total (0 if unknown); large objects are staged first."""

    def __init__(self, bucket: Bucket, size: int) -> None:
        self._part_size = part_size(size)
        self._bucket = bucket
        self._client = bucket.client
        self._buffer = bytearray()
        self._staged = bucket.staging_location()
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._size = 0

    def write(self, chunk: bytes | memoryview) -> None:
        self._buffer += chunk
        self._size += len(chunk)
        while len(self._buffer) >= self._part_size:
            with self._bucket.translated_errors():
                self._send_part(self._part_size)

    def _send_part(self, size: int) -> None:
        if self._upload_id is None:
            created = self._client.create_multipart_upload(
                **self._staged, **algorithm(self._bucket.checksums)
            )
            self._upload_id = created["UploadId"]
        number = len(self._parts) + 1
        if number > MOST_PARTS:
            raise BlobTooLarge(
                f"{self._size} bytes make more than {MOST_PARTS} parts of {self._part_size}, the"
                " most that S3 allows, and the size was not known in advance"
            )
        body = bytes(self._buffer[:size])
        digest = checksum(body, self._bucket.checksums)
        sent = self._client.upload_part(
            **self._staged, UploadId=self._upload_id, PartNumber=number, Body=body, **digest
        )
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"], **digest})
        del self._buffer[:size]

    def commit(self, sha256: str) -> None:
        with self._bucket.translated_errors():
            if self._upload_id is None:
                body = bytes(self._buffer)
                digest = checksum(body, self._bucket.checksums)
                self._client.put_object(**self._bucket.location(sha256), Body=body, **digest)
            else:
                self._finish_parts(sha256)
            self._demand_complete(sha256)

    def _demand_complete(self, sha256: str) -> None:
        size = self._client.head_object(**self._bucket.location(sha256))["ContentLength"]
        if size != self._size:
            raise StorageUnavailable(
                f"the bucket {self._bucket.bucket} kept {size} of {self._size} bytes"
            )

    def _finish_parts(self, sha256: str) -> None:
        if self._buffer:
            self._send_part(len(self._buffer))
        done = self._client.complete_multipart_upload(
            **self._staged,
            UploadId=cast(str, self._upload_id),
            MultipartUpload={"Parts": self._parts},  # type: ignore[typeddict-item]
        )
        self._upload_id = None
        try:
            target, config = self._bucket.location(sha256), self._bucket.copying
            self._client.copy(self._staged, **target, Config=config)  # type: ignore[arg-type]
        finally:
            # With its version, otherwise the bucket would keep it below a delete marker. If this
            # fails, the sweep deletes it later.
            with suppress(ClientError, BotoCoreError):
                self._client.delete_object(**self._staged, **version(done))

    def discard(self) -> None:
        self._buffer.clear()
        if self._upload_id is not None:
            with suppress(ClientError, BotoCoreError):
                self._client.abort_multipart_upload(**self._staged, UploadId=self._upload_id)
