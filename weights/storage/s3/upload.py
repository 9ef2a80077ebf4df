"""An object on its way into the bucket."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from weights.errors import StorageUnavailable
from weights.storage.s3.checksums import algorithm, checksum

if TYPE_CHECKING:
    from weights.storage.s3.store import S3Storage

#: Bytes of one part of an upload: 10,000 parts, the most S3 takes, hold 320 GB.
PART_SIZE = 32 * 1024 * 1024


def version(found: Any) -> dict[str, Any]:
    """The version that an answer tells of as arguments; none where the bucket keeps none."""
    return {"VersionId": found["VersionId"]} if found.get("VersionId") else {}


class S3Upload:
    """Gathers parts; small content goes to its key in one step, large by way of a staging key."""

    def __init__(self, store: "S3Storage") -> None:
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
        while len(self._buffer) >= PART_SIZE:
            with self._store.asking():
                self._send_part(PART_SIZE)

    def _send_part(self, size: int) -> None:
        if self._upload_id is None:
            begun = self._client.create_multipart_upload(
                **self._staged, **algorithm(self._store.checksums)
            )
            self._upload_id = begun["UploadId"]
        number = len(self._parts) + 1
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
