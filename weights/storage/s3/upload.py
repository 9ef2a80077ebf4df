"""An object on its way into the bucket."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from weights.errors import BlobTooLarge, StorageUnavailable
from weights.storage.s3.checksums import algorithm, checksum

if TYPE_CHECKING:
    from weights.storage.s3.store import S3Storage

#: Bytes of one part of an upload, unless that would make too many of them.
PART_SIZE = 32 * 1024 * 1024
#: Bounds of S3: parts of an upload, and bytes of an object.
MOST_PARTS = 10_000
LARGEST = 5 * 1024**4


def part_size(size: int) -> int:
    """Bytes of each part for an object of so many, all alike: not every store takes others.

    Raises BlobTooLarge.
    """
    if size > LARGEST:
        raise BlobTooLarge(
            f"S3 keeps no object of {size} bytes, {LARGEST} are the most; publish it in shards"
        )
    return max(PART_SIZE, -(-size // MOST_PARTS))


def version(found: Any) -> dict[str, Any]:
    """The version that an answer tells of as arguments; none where the bucket keeps none."""
    return {"VersionId": found["VersionId"]} if found.get("VersionId") else {}


class S3Upload:
    """Gathers parts; small content goes to its key in one step, large by way of a staging key."""

    def __init__(self, store: "S3Storage", size: int) -> None:
        self._part_size = part_size(size)
        self._store = store
        self._client = store.client
        self._buffer = bytearray()
        self._staged = store.staging()
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._size = 0

    def write(self, chunk: bytes | memoryview) -> None:
        self._buffer += chunk
        self._size += len(chunk)
        while len(self._buffer) >= self._part_size:
            with self._store.asking():
                self._send_part(self._part_size)

    def _send_part(self, size: int) -> None:
        if self._upload_id is None:
            begun = self._client.create_multipart_upload(
                **self._staged, **algorithm(self._store.checksums)
            )
            self._upload_id = begun["UploadId"]
        number = len(self._parts) + 1
        if number > MOST_PARTS:
            raise BlobTooLarge(
                f"{self._size} bytes make more than {MOST_PARTS} parts of {self._part_size}, the"
                " most that S3 takes, and nobody had told how many would come"
            )
        body = bytes(self._buffer[:size])
        proof = checksum(body, self._store.checksums)
        sent = self._client.upload_part(
            **self._staged, UploadId=self._upload_id, PartNumber=number, Body=body, **proof
        )
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"], **proof})
        del self._buffer[:size]

    def commit(self, sha256: str) -> None:
        with self._store.asking():
            if self._upload_id is None:
                body = bytes(self._buffer)
                proof = checksum(body, self._store.checksums)
                self._client.put_object(**self._store.at(sha256), Body=body, **proof)
            else:
                self._finish_parts(sha256)
            self._demand_whole(sha256)

    def _demand_whole(self, sha256: str) -> None:
        found = self._client.head_object(**self._store.at(sha256))["ContentLength"]
        if found != self._size:
            raise StorageUnavailable(
                f"the bucket {self._store.bucket} kept {found} of {self._size} bytes"
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
            self._client.copy(self._staged, **self._store.at(sha256), Config=self._store.copying)  # type: ignore[arg-type]
        finally:
            # By its version, or the bucket would keep it below a delete marker. What cannot be
            # removed now, the sweep removes.
            with suppress(ClientError, BotoCoreError):
                self._client.delete_object(**self._staged, **version(done))

    def discard(self) -> None:
        self._buffer.clear()
        if self._upload_id is not None:
            with suppress(ClientError, BotoCoreError):
                self._client.abort_multipart_upload(**self._staged, UploadId=self._upload_id)
