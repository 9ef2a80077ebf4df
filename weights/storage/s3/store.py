"""A bucket as a blob store."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote

import boto3

from weights.errors import BlobMissing
from weights.storage.cdn import Cdn
from weights.storage.protocol import PastTheEnd, StoredObject, blob_key
from weights.storage.s3.bucket import QUICK, STAGING, Bucket, version
from weights.storage.s3.checksums import Checksums, reported_sha256
from weights.storage.s3.errors import logged_denials
from weights.storage.s3.reader import S3Reader, read_until
from weights.storage.s3.signer import Signer, clamp
from weights.storage.s3.upload import S3Upload
from weights.web.http_headers import disposition

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: Maximum seconds to read an excerpt.
EXCERPT_SECONDS = 5.0
#: Permissions that a sweep needs in a versioned bucket.
_PERMISSIONS = "s3:GetBucketVersioning, s3:ListBucketVersions and s3:DeleteObjectVersion"


class S3Storage(Bucket):
    """Stores each blob at `<prefix>/aa/bb/<sha256>` of one bucket.

    Sends requests to `endpoint`, and signs URLs for `public_endpoint`. `session` has arguments
    that boto3 does not read itself, such as a credential from a file.
    """

    is_local = False
    staging_folder = None

    def __init__(
        self,
        bucket: str,
        prefix: str,
        *,
        endpoint: str | None,
        public_endpoint: str | None,
        checksums: Checksums = "sha256",
        cdn: Cdn | None = None,
        session: dict[str, str] | None = None,
    ) -> None:
        aws = boto3.session.Session(**(session or {}))  # type: ignore[arg-type]
        super().__init__(aws, bucket, prefix, endpoint=endpoint, checksums=checksums)
        self._quick: S3Client = aws.client(
            "s3", region_name=self.region, endpoint_url=endpoint, config=QUICK
        )
        self.clock.watch(self._quick)
        self.signer = Signer(aws, public_endpoint, self)
        self._cdn = cdn
        self.binds_versions = cdn is None

    def probe(self) -> timedelta:
        # Not HEAD, since its errors have no code.
        with self.translated_errors():
            self._quick.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)
        self.clock.demand_agreement()
        return self.clock.ahead

    def create(self) -> None:
        """Does nothing: the operator creates the bucket."""

    @contextmanager
    def receive(self, size: int = 0) -> Iterator[S3Upload]:
        upload = S3Upload(self, size)
        try:
            yield upload
        finally:
            upload.discard()

    def size(self, sha256: str) -> int | None:
        found = self.stat(sha256)
        return None if found is None else found.size

    def keeps_versions(self) -> bool:
        with self.translated_errors():
            return self._versioning() == "Enabled"

    def _versioning(self) -> str:
        """`Enabled`, `Suspended` (older versions may exist), or empty."""
        return self._quick.get_bucket_versioning(Bucket=self.bucket).get("Status", "")

    def stat(self, sha256: str, version: str = "") -> StoredObject | None:
        wanted: dict[str, str] = {"VersionId": version} if version else {}
        if self.checksums == "sha256":
            wanted["ChecksumMode"] = "ENABLED"
        try:
            with self.translated_errors():
                found = self.client.head_object(**self.location(sha256), **wanted)  # type: ignore[arg-type]
        except BlobMissing:
            return None
        return _stored(blob_key(sha256), found["ContentLength"], found)

    def list_objects(self) -> Iterator[StoredObject]:
        with self.translated_errors():
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix):
                for found in page.get("Contents", []):
                    key = found["Key"].removeprefix(self.prefix)
                    if not key.startswith(STAGING):
                        yield _stored(key, found["Size"], found)

    def open(self, sha256: str, *, version: str = "") -> BinaryIO:
        wanted: Any = {"VersionId": version} if version else {}
        with self.translated_errors():
            found = self.client.get_object(**self.location(sha256), **wanted)
        stored = _stored(blob_key(sha256), found["ContentLength"], found)
        return cast(BinaryIO, S3Reader(found["Body"], found.get("VersionId", ""), stored))

    def read(self, sha256: str, start: int, length: int, version: str = "") -> bytes:
        if not length:
            return b""
        wanted: dict[str, str] = {"Range": f"bytes={start}-{start + length - 1}"}
        if version:
            wanted["VersionId"] = version
        try:
            with self.translated_errors():
                found = self.client.get_object(**self.location(sha256), **wanted)  # type: ignore[arg-type]
        except PastTheEnd:
            return b""
        stored = _stored(blob_key(sha256), found["ContentLength"], found)
        with S3Reader(found["Body"], version, stored) as stream:
            return b"".join(iter(lambda: stream.read(1 << 20) or b"", b""))

    def excerpt(self, sha256: str, most: int, version: str = "") -> bytes:
        end = time.monotonic() + EXCERPT_SECONDS
        wanted: Any = {"VersionId": version} if version else {}
        with self.translated_errors():
            found = self._quick.get_object(**self.location(sha256), **wanted)
            try:
                return read_until(found["Body"], min(most, found["ContentLength"]), end)
            finally:
                found["Body"].close()

    def local_path(self, sha256: str) -> None:
        return None

    # -- signed URLs -----------------------------------------------------------------------

    def signed_url(self, sha256: str, *, filename: str, seconds: int, version: str = "") -> str:
        if self.clock.is_skewed:
            self.probe()  # raises, unless the clock was corrected since the last response
        now = int(time.time())
        if self._cdn is not None:
            path = quote(self.prefix) + blob_key(sha256)
            return self._cdn.url(path, disposition(filename), now, clamp(seconds))
        return self.signer.url(sha256, filename=filename, seconds=seconds, version=version, now=now)

    # -- cleaning up -----------------------------------------------------------------------------

    def delete(self, sha256: str) -> None:
        with self.translated_errors():
            self.client.delete_object(**self.location(sha256))

    def sweep(self, older_than: timedelta) -> int:
        limit = datetime.now(UTC) - older_than
        with self.translated_errors():
            removed = self._abort_uploads(limit)
            with logged_denials(f"leftovers below {self.address}/{STAGING} stay", _PERMISSIONS):
                removed += self._delete_staged(limit, self._staged())
            return removed

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

    def _staged(self) -> Iterator[Any]:
        """Objects below the staging prefix, with their older versions and delete markers."""
        below: Any = {"Bucket": self.bucket, "Prefix": f"{self.prefix}{STAGING}"}
        versioning = ""
        with logged_denials(f"versions of {self.address} are unknown", _PERMISSIONS):
            versioning = self._versioning()
        if not versioning:
            for page in self.client.get_paginator("list_objects_v2").paginate(**below):
                yield from page.get("Contents", [])
            return
        for versions in self.client.get_paginator("list_object_versions").paginate(**below):
            yield from versions.get("Versions", [])
            yield from versions.get("DeleteMarkers", [])

    def _delete_staged(self, limit: datetime, staged: Iterator[Any]) -> int:
        removed = 0
        for one in staged:
            if one["LastModified"] < limit:
                self.client.delete_object(Bucket=self.bucket, Key=one["Key"], **version(one))
                removed += 1
        return removed

    def put_text(self, name: str, text: str) -> None:
        """Store a short text next to the blobs, under a name that no blob has.

        Raises StorageUnavailable.
        """
        with self.translated_errors():
            self.client.put_object(
                Bucket=self.bucket,
                Key=f"{self.prefix}{name}",
                Body=text.encode(),
                ContentType="text/plain; charset=utf-8",
            )

    def texts(self, leave_out: Collection[str]) -> list[str]:
        """The texts stored by `put_text`, except those in `leave_out`, in the order of writing.

        Raises StorageUnavailable.
        """
        with self.translated_errors():
            pages = self._quick.get_paginator("list_objects_v2")
            found = [
                each
                for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix)
                for each in page.get("Contents", [])
                if each["Key"].removeprefix(self.prefix) not in leave_out
            ]
            found.sort(key=lambda each: (each["LastModified"], each["Key"]))
            bodies = [
                self._quick.get_object(Bucket=self.bucket, Key=each["Key"])["Body"].read()
                for each in found
            ]
        return [body.decode(errors="replace") for body in bodies]


def _stored(key: str, size: int, found: Any) -> StoredObject:
    """The metadata in the response to a GET, a HEAD or a listing."""
    mark = str(found["ETag"]).strip('"')
    return StoredObject(key, size, mark, found["LastModified"], reported_sha256(found))
