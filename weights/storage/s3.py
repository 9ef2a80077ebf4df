"""Blobs as objects of an S3 bucket; the only module that imports boto3."""

import io
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, TypedDict, cast

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from django.utils.http import content_disposition_header
from urllib3.exceptions import HTTPError

from weights.errors import BlobMissing, StorageFull, StorageUnavailable, WeightsError
from weights.storage.protocol import URL_SECONDS_MOST, blob_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: Bytes of one part of an upload: 10,000 parts, the most S3 takes, hold 320 GB.
PART_SIZE = 32 * 1024 * 1024
#: Bytes from which the store copies in parts; it refuses to copy more than 5 GB in one.
COPY_IN_PARTS_FROM = 1024 * 1024 * 1024

_CONFIG = Config(
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    retries={"mode": "standard", "max_attempts": 3},
    connect_timeout=5,
    read_timeout=60,
    # Newer checksum trailers are not understood by every store; ours is the blob's own name.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
_GONE = {"404", "NoSuchKey", "NotFound"}
_FULL = {"507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull"}


class Place(TypedDict):
    """Where an object is, as boto3's arguments."""

    Bucket: str
    Key: str


class S3Storage:
    """Keeps each blob at `<prefix>/aa/bb/<sha256>` of one bucket.

    Works through one endpoint and signs for another, since the host is part of a
    signature and users may reach the store under another name than the portal does.
    """

    def __init__(
        self, bucket: str, prefix: str, *, endpoint: str | None, public_endpoint: str | None
    ) -> None:
        session = boto3.session.Session()
        region = session.region_name or "us-east-1"
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.client: S3Client = session.client(
            "s3", region_name=region, endpoint_url=endpoint, config=_CONFIG
        )
        self._signer: S3Client = session.client(
            "s3", region_name=region, endpoint_url=public_endpoint, config=_CONFIG
        )
        self._credentials = session.get_credentials()
        self.copying = TransferConfig(
            multipart_threshold=COPY_IN_PARTS_FROM, multipart_chunksize=COPY_IN_PARTS_FROM
        )

    @contextmanager
    def receive(self) -> Iterator["S3Upload"]:
        upload = S3Upload(self)
        try:
            yield upload
        finally:
            upload.discard()

    def size(self, sha256: str) -> int | None:
        try:
            with self.asking():
                return self.client.head_object(**self.at(sha256))["ContentLength"]
        except BlobMissing:
            return None

    def open(self, sha256: str) -> BinaryIO:
        with self.asking():
            body = self.client.get_object(**self.at(sha256))["Body"]
        return cast(BinaryIO, S3Reader(body))

    def local_path(self, sha256: str) -> None:
        return None

    def signed_url(self, sha256: str, *, filename: str, seconds: int) -> str:
        disposition = content_disposition_header(as_attachment=True, filename=filename)
        with self.asking():
            return self._signer.generate_presigned_url(
                "get_object",
                Params={**self.at(sha256), "ResponseContentDisposition": disposition or ""},
                ExpiresIn=self._clamp(seconds),
            )

    def _clamp(self, seconds: int) -> int:
        """Within our own bounds and the life of the credential, which boto3 does not look at."""
        most = URL_SECONDS_MOST
        ends: datetime | None = getattr(self._credentials, "_expiry_time", None)
        if ends is not None:
            most = min(most, int((ends - datetime.now(UTC)).total_seconds()))
        return max(1, min(seconds, most))

    def delete(self, sha256: str) -> None:
        with self.asking():
            self.client.delete_object(**self.at(sha256))

    def sweep(self, older_than: timedelta) -> int:
        limit = datetime.now(UTC) - older_than
        with self.asking():
            return self._abort_uploads(limit) + self._delete_staged(limit)

    def _abort_uploads(self, limit: datetime) -> int:
        removed = 0
        pages = self.client.get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix):
            for upload in page.get("Uploads", []):
                if upload["Initiated"] < limit:
                    self.client.abort_multipart_upload(
                        Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
                    removed += 1
        return removed

    def _delete_staged(self, limit: datetime) -> int:
        removed = 0
        pages = self.client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.bucket, Prefix=f"{self.prefix}staging/"):
            for staged in page.get("Contents", []):
                if staged["LastModified"] < limit:
                    self.client.delete_object(Bucket=self.bucket, Key=staged["Key"])
                    removed += 1
        return removed

    def at(self, sha256: str) -> Place:
        """Where a blob belongs."""
        return {"Bucket": self.bucket, "Key": self.prefix + blob_key(sha256)}

    def staging(self) -> Place:
        """A place for bytes whose hash is not known yet."""
        return {"Bucket": self.bucket, "Key": f"{self.prefix}staging/{uuid.uuid4().hex}"}

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Turn what boto3 raises into the domain's errors."""
        try:
            yield
        except (ClientError, BotoCoreError, HTTPClientError) as error:
            raise _refusal(error, self.bucket) from error


class S3Upload:
    """Gathers parts; small content goes to its key in one step, large by way of a staging key."""

    def __init__(self, store: S3Storage) -> None:
        self._store = store
        self._client = store.client
        self._buffer = bytearray()
        self._staged = store.staging()
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []

    def write(self, chunk: bytes | memoryview) -> None:
        self._buffer += chunk
        while len(self._buffer) >= PART_SIZE:
            with self._store.asking():
                self._send_part(PART_SIZE)

    def _send_part(self, size: int) -> None:
        if self._upload_id is None:
            begun = self._client.create_multipart_upload(**self._staged)
            self._upload_id = begun["UploadId"]
        number = len(self._parts) + 1
        sent = self._client.upload_part(
            **self._staged,
            UploadId=self._upload_id,
            PartNumber=number,
            Body=bytes(self._buffer[:size]),
        )
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})
        del self._buffer[:size]

    def commit(self, sha256: str) -> None:
        with self._store.asking():
            if self._upload_id is None:
                self._client.put_object(**self._store.at(sha256), Body=bytes(self._buffer))
            else:
                self._finish_parts(sha256)

    def _finish_parts(self, sha256: str) -> None:
        if self._buffer:
            self._send_part(len(self._buffer))
        self._client.complete_multipart_upload(
            **self._staged,
            UploadId=cast(str, self._upload_id),
            MultipartUpload={"Parts": self._parts},  # type: ignore[typeddict-item]
        )
        self._upload_id = None
        try:
            self._client.copy(self._staged, **self._store.at(sha256), Config=self._store.copying)  # type: ignore[arg-type]
        finally:
            # What cannot be removed now, the sweep removes.
            with suppress(ClientError, BotoCoreError):
                self._client.delete_object(**self._staged)

    def discard(self) -> None:
        self._buffer.clear()
        if self._upload_id is not None:
            with suppress(ClientError, BotoCoreError):
                self._client.abort_multipart_upload(**self._staged, UploadId=self._upload_id)


class S3Reader(io.RawIOBase):
    """An object's body as a stream whose failures are the domain's."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            chunk = self._body.read(len(buffer))
        except (BotoCoreError, HTTPError, OSError) as error:
            raise StorageUnavailable(f"the store broke off: {error}") from error
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._body.close()
        super().close()


def _refusal(error: Exception, bucket: str) -> WeightsError:
    """The domain's word for what the store said."""
    response = error.response if isinstance(error, ClientError) else {}
    code = str(response.get("Error", {}).get("Code", ""))
    if code in _GONE:
        return BlobMissing(f"the bucket {bucket} does not hold it")
    if code in _FULL:
        return StorageFull(f"the bucket {bucket} is full; free some room and run the same again")
    return StorageUnavailable(f"the bucket {bucket} does not answer: {error}")
