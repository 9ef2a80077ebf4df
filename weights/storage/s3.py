"""Blobs as objects of an S3 bucket; the only module that imports boto3."""

import hashlib
import io
import logging
import time
import uuid
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypedDict, cast
from urllib.parse import parse_qs, quote, urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from urllib3.exceptions import HTTPError

from weights.errors import BlobMissing, StorageFull, StorageUnavailable, WeightsError
from weights.http_headers import disposition
from weights.storage.cdn import Cdn
from weights.storage.presign import Key, Presigner
from weights.storage.protocol import URL_SECONDS_MOST, PastTheEnd, Stored, blob_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: Bytes of one part of an upload: 10,000 parts, the most S3 takes, hold 320 GB.
PART_SIZE = 32 * 1024 * 1024
#: Bytes from which the store copies in parts; it refuses to copy more than 5 GB in one.
COPY_IN_PARTS_FROM = 1024 * 1024 * 1024

log = logging.getLogger(__name__)

_CONFIG = Config(
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=5,
    read_timeout=60,
    # Not every store understands the library's checksum trailers; ours go into headers.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
#: For what a person waits for: two tries of 1 + 2 s and the pause between end after 7 s.
_QUICK = _CONFIG.merge(
    Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=1, read_timeout=2)
)
#: Seconds after which no more of an excerpt is awaited, however slowly it trickles in.
EXCERPT_SECONDS = 5.0
#: A name under which nothing is stored, to ask the library how it would sign one.
_PROBE = "0" * 64
#: Below it are bytes whose hash is not known yet.
_STAGING = "staging/"

Checksums = Literal["sha256", "crc32", "none"]
_GONE = {"404", "NoSuchKey", "NoSuchVersion", "NotFound"}
_PAST = {"416", "InvalidRange"}
_DAMAGED = {"BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"}
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

    is_local = False

    def __init__(
        self,
        bucket: str,
        prefix: str,
        *,
        endpoint: str | None,
        public_endpoint: str | None,
        checksums: Checksums = "sha256",
        cdn: Cdn | None = None,
    ) -> None:
        session = boto3.session.Session()
        self._region = session.region_name or "us-east-1"
        self.address = f"s3://{bucket}/{prefix}".rstrip("/")
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.client: S3Client = session.client(
            "s3", region_name=self._region, endpoint_url=endpoint, config=_CONFIG
        )
        self._quick: S3Client = session.client(
            "s3", region_name=self._region, endpoint_url=endpoint, config=_QUICK
        )
        self._signer: S3Client = session.client(
            "s3", region_name=self._region, endpoint_url=public_endpoint, config=_CONFIG
        )
        self._credentials = session.get_credentials()
        self._presigner: tuple[Key, Presigner | None] | None = None
        self._cdn = cdn
        self.binds_versions = cdn is None
        self.checksums = checksums
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

    def keeps_versions(self) -> bool:
        with self.asking():
            found = self._quick.get_bucket_versioning(Bucket=self.bucket)
        return found.get("Status") == "Enabled"

    def look(self, sha256: str, version: str = "") -> Stored | None:
        wanted: dict[str, str] = {"VersionId": version} if version else {}
        if self.checksums == "sha256":
            wanted["ChecksumMode"] = "ENABLED"
        try:
            with self.asking():
                found = self.client.head_object(**self.at(sha256), **wanted)  # type: ignore[arg-type]
        except BlobMissing:
            return None
        return _stored(blob_key(sha256), found["ContentLength"], found)

    def everything(self) -> Iterator[Stored]:
        with self.asking():
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix):
                for found in page.get("Contents", []):
                    key = found["Key"].removeprefix(self.prefix)
                    if not key.startswith(_STAGING):
                        yield _stored(key, found["Size"], found)

    def open(self, sha256: str, *, start: int = 0, version: str = "") -> BinaryIO:
        part: Any = {"Range": f"bytes={start}-"} if start else {}
        if version:
            part["VersionId"] = version
        with self.asking():
            found = self.client.get_object(**self.at(sha256), **part)
        status = found["ResponseMetadata"]["HTTPStatusCode"]
        if start and status != HTTPStatus.PARTIAL_CONTENT:  # the store ignored the range
            found["Body"].close()
            raise PastTheEnd(f"the bucket {self.bucket} sends objects from their start alone")
        stored = _stored(blob_key(sha256), start + found["ContentLength"], found)
        return cast(BinaryIO, S3Reader(found["Body"], found.get("VersionId", ""), stored))

    def read(self, sha256: str, start: int, length: int, version: str = "") -> bytes:
        if not length:
            return b""
        wanted: dict[str, str] = {"Range": f"bytes={start}-{start + length - 1}"}
        if version:
            wanted["VersionId"] = version
        try:
            with self.asking():
                found = self.client.get_object(**self.at(sha256), **wanted)  # type: ignore[arg-type]
        except PastTheEnd:
            return b""
        stored = _stored(blob_key(sha256), found["ContentLength"], found)
        with S3Reader(found["Body"], version, stored) as stream:
            return b"".join(iter(lambda: stream.read(1 << 20) or b"", b""))

    def excerpt(self, sha256: str, most: int, version: str = "") -> bytes:
        end = time.monotonic() + EXCERPT_SECONDS
        wanted: Any = {"VersionId": version} if version else {}
        with self.asking():
            found = self._quick.get_object(**self.at(sha256), **wanted)
            try:
                return _read_until(found["Body"], min(most, found["ContentLength"]), end)
            finally:
                found["Body"].close()

    def local_path(self, sha256: str) -> None:
        return None

    # -- signed addresses -------------------------------------------------------------------

    def signed_url(self, sha256: str, *, filename: str, seconds: int, version: str = "") -> str:
        now = int(time.time())
        if self._cdn is not None:
            path = quote(self.prefix) + blob_key(sha256)
            return self._cdn.url(path, disposition(filename), now, _clamp(seconds))
        presigner, ends = self._presigner_of_now()
        life = _clamp(seconds, None if ends is None else ends - now)
        if presigner is None:
            return self._signed_by_library(sha256, filename, life, version)
        return presigner.url(
            blob_key(sha256),
            disposition=disposition(filename),
            version=version,
            seconds=life,
            now=now,
        )

    def _presigner_of_now(self) -> tuple[Presigner | None, int | None]:
        """What signs with the credential of now, and when that ends in Unix time, if it does."""
        if self._presigner is not None and type(self._credentials) is Credentials:
            return self._presigner[1], None  # of the kind that never changes
        key, ends = self._key()
        return self._presigner_for(key), None if ends is None else int(ends.timestamp())

    def _key(self) -> tuple[Key, datetime | None]:
        """The credential of now, renewed if it is a temporary one, and when it ends."""
        if self._credentials is None:
            raise StorageUnavailable("there are no S3 credentials; set AWS_ACCESS_KEY_ID")
        try:
            frozen = self._credentials.get_frozen_credentials()
        except (ClientError, BotoCoreError, RuntimeError) as error:
            raise StorageUnavailable(f"the S3 credentials cannot be renewed: {error}") from error
        key = Key(str(frozen.access_key), str(frozen.secret_key), frozen.token)
        # The library knows it of temporary credentials, and has no public name for it.
        return key, getattr(self._credentials, "_expiry_time", None)

    def _presigner_for(self, key: Key) -> Presigner | None:
        """Our own signer, if it signs as the library does for this bucket and credential."""
        known = self._presigner
        if known is None or known[0] != key:
            known = self._presigner = (key, self._tried_presigner(key))
        return known[1]

    def _tried_presigner(self, key: Key) -> Presigner | None:
        """Learn the bucket's address from the library, and hold one result against its own."""
        theirs = self._signed_by_library(_PROBE, "probe", 60, "1")
        presigner = Presigner(
            theirs.partition("?")[0].removesuffix(blob_key(_PROBE)), self._region, key
        )
        for stamp in parse_qs(urlsplit(theirs).query).get("X-Amz-Date", []):
            now = int(datetime.strptime(f"{stamp}+0000", "%Y%m%dT%H%M%SZ%z").timestamp())
            saved_as = disposition("probe")
            if theirs == presigner.url(
                blob_key(_PROBE), disposition=saved_as, version="1", seconds=60, now=now
            ):
                return presigner
        log.warning("addresses of %s are signed by the library, one by one", self.address)
        return None

    def _signed_by_library(self, sha256: str, filename: str, seconds: int, version: str) -> str:
        wanted = {**self.at(sha256), "ResponseContentDisposition": disposition(filename)}
        if version:
            wanted["VersionId"] = version
        with self.asking():
            return self._signer.generate_presigned_url(
                "get_object", Params=wanted, ExpiresIn=seconds
            )

    # -- upkeep -----------------------------------------------------------------------------

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
        for page in pages.paginate(Bucket=self.bucket, Prefix=f"{self.prefix}{_STAGING}"):
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
        return {"Bucket": self.bucket, "Key": f"{self.prefix}{_STAGING}{uuid.uuid4().hex}"}

    def put_text(self, name: str, text: str) -> None:
        """Keep a short text beside the blobs, under a name that no blob has.

        Raises StorageUnavailable.
        """
        with self.asking():
            self.client.put_object(
                Bucket=self.bucket,
                Key=f"{self.prefix}{name}",
                Body=text.encode(),
                ContentType="text/plain; charset=utf-8",
            )

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Turn what boto3 raises into the domain's errors."""
        try:
            yield
        except (ClientError, BotoCoreError, HTTPClientError) as error:
            raise _refusal(error, self.bucket) from error


def _stored(key: str, size: int, found: Any) -> Stored:
    """By its entity tag, as the store gives it with an object, its head and in lists."""
    mark = str(found["ETag"]).strip('"')
    return Stored(key, size, mark, found["LastModified"], _own_sha256(found))


def _own_sha256(found: Any) -> str:
    """What the store computed of all the bytes, in hex; one made of those of parts is no such."""
    told = str(found.get("ChecksumSHA256", ""))
    if found.get("ChecksumType") == "COMPOSITE" or "-" in told:
        return ""
    return b64decode(told).hex()


def _clamp(seconds: int, left: int | None = None) -> int:
    """Within our own bounds and what is left of the credential, which the library ignores.

    Raises StorageUnavailable when the credential has ended: the address would be dead.
    """
    if left is not None and left < 1:
        raise StorageUnavailable("the S3 credentials have ended")
    return max(1, min(seconds, URL_SECONDS_MOST, URL_SECONDS_MOST if left is None else left))


def _read_until(body: Any, size: int, end: float) -> bytes:
    """The first bytes of a body, which must all have come before the clock says `end`."""
    content = bytearray()
    while len(content) < size:
        # `read` waits for all that is asked for, a byte at a time if need be; `read1` does not.
        try:
            block = body._raw_stream.read1(size - len(content))
        except (HTTPError, OSError) as error:
            raise StorageUnavailable(f"the store broke off: {error}") from error
        if not block:
            raise StorageUnavailable("the store broke off")
        content += block
        if time.monotonic() > end:
            raise StorageUnavailable("the store sends too slowly")
    return bytes(content)


class S3Upload:
    """Gathers parts; small content goes to its key in one step, large by way of a staging key."""

    def __init__(self, store: S3Storage) -> None:
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
                **self._staged, **_algorithm(self._store.checksums)
            )
            self._upload_id = begun["UploadId"]
        number = len(self._parts) + 1
        body = bytes(self._buffer[:size])
        proof = _checksum(body, self._store.checksums)
        sent = self._client.upload_part(
            **self._staged, UploadId=self._upload_id, PartNumber=number, Body=body, **proof
        )
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"], **proof})
        del self._buffer[:size]

    def commit(self, sha256: str) -> None:
        with self._store.asking():
            if self._upload_id is None:
                body = bytes(self._buffer)
                proof = _checksum(body, self._store.checksums)
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


def _checksum(body: bytes, kind: Checksums) -> dict[str, Any]:
    """The checksum of one request's body as arguments; the store refuses a body that differs."""
    if kind == "sha256":
        return {"ChecksumSHA256": b64encode(hashlib.sha256(body).digest()).decode()}
    if kind == "crc32":
        return {"ChecksumCRC32": b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()}
    return {}


def _algorithm(kind: Checksums) -> dict[str, Any]:
    """What an upload in parts must announce for its parts to carry checksums."""
    return {} if kind == "none" else {"ChecksumAlgorithm": kind.upper()}


class S3Reader(io.RawIOBase):
    """An object's body as a stream whose failures are the domain's.

    `version` is the one that is read; empty where the bucket keeps none.
    """

    is_at_hand = False

    def __init__(self, body: Any, version: str, stored: Stored) -> None:
        self._body = body
        self.version = version
        self.stored = stored

    def forgetful(self) -> Callable[[int, int], None]:
        return lambda start, length: None

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
    if code in _PAST:
        return PastTheEnd(f"the bucket {bucket} holds no such bytes of it")
    if code in _FULL:
        return StorageFull(f"the bucket {bucket} is full; free some room and run the same again")
    if code in _DAMAGED:
        return StorageUnavailable(
            f"the bytes that reached the bucket {bucket} differ from what was sent; try again"
        )
    return StorageUnavailable(f"the bucket {bucket} does not answer: {error}")
