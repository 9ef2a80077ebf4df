"""A bucket as a store of blobs."""

import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote

import boto3
from boto3.s3.transfer import TransferConfig

from weights.errors import BlobMissing
from weights.storage.cdn import Cdn
from weights.storage.protocol import PastTheEnd, Stored, blob_key
from weights.storage.s3 import troubles
from weights.storage.s3.checksums import Checksums, own_sha256
from weights.storage.s3.place import CONFIG, QUICK, Place
from weights.storage.s3.reader import S3Reader, read_until
from weights.storage.s3.signer import Signer, clamp
from weights.storage.s3.upload import S3Upload, version
from weights.web.http_headers import disposition

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: Bytes from which the store copies in parts; it refuses to copy more than 5 GB in one.
COPY_IN_PARTS_FROM = 1024 * 1024 * 1024
#: Seconds after which no more of an excerpt is awaited, however slowly it trickles in.
EXCERPT_SECONDS = 5.0
#: Below it are bytes whose hash is not known yet.
_STAGING = "staging/"
#: What a credential needs to sweep where versions are kept.
_RIGHTS = "s3:GetBucketVersioning, s3:ListBucketVersions and s3:DeleteObjectVersion"


class S3Storage:
    """Keeps each blob at `<prefix>/aa/bb/<sha256>` of one bucket.

    Works through `endpoint`, and signs addresses for `public_endpoint`. `session` is what boto3
    should not look for itself, such as the credential of a file.
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
        session: dict[str, str] | None = None,
    ) -> None:
        aws = boto3.session.Session(**(session or {}))  # type: ignore[arg-type]
        region = aws.region_name or "us-east-1"
        self.address = f"s3://{bucket}/{prefix}".rstrip("/")
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.client: S3Client = aws.client(
            "s3", region_name=region, endpoint_url=endpoint, config=CONFIG
        )
        self._quick: S3Client = aws.client(
            "s3", region_name=region, endpoint_url=endpoint, config=QUICK
        )
        self.signer = Signer(
            aws, public_endpoint, region=region, address=self.address, place=self.at
        )
        self._cdn = cdn
        self.binds_versions = cdn is None
        self.checksums = checksums
        self.copying = TransferConfig(
            multipart_threshold=COPY_IN_PARTS_FROM, multipart_chunksize=COPY_IN_PARTS_FROM
        )

    def set_up(self) -> None:
        """Nothing: whoever pays for a bucket makes it."""

    @contextmanager
    def receive(self, size: int = 0) -> Iterator[S3Upload]:
        upload = S3Upload(self, size)
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
            return self._versioning() == "Enabled"

    def _versioning(self) -> str:
        """`Enabled`, `Suspended` where older versions may be left, or nothing."""
        return self._quick.get_bucket_versioning(Bucket=self.bucket).get("Status", "")

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
                return read_until(found["Body"], min(most, found["ContentLength"]), end)
            finally:
                found["Body"].close()

    def local_path(self, sha256: str) -> None:
        return None

    # -- signed addresses -------------------------------------------------------------------

    def signed_url(self, sha256: str, *, filename: str, seconds: int, version: str = "") -> str:
        now = int(time.time())
        if self._cdn is not None:
            path = quote(self.prefix) + blob_key(sha256)
            return self._cdn.url(path, disposition(filename), now, clamp(seconds))
        return self.signer.url(sha256, filename=filename, seconds=seconds, version=version, now=now)

    # -- upkeep -----------------------------------------------------------------------------

    def delete(self, sha256: str) -> None:
        with self.asking():
            self.client.delete_object(**self.at(sha256))

    def sweep(self, older_than: timedelta) -> int:
        limit = datetime.now(UTC) - older_than
        with self.asking():
            removed = self._abort_uploads(limit)
            with troubles.denials_told(f"leftovers below {self.address}/{_STAGING} stay", _RIGHTS):
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
        """All below the staging place, in a bucket with versions the older ones and markers too."""
        below: Any = {"Bucket": self.bucket, "Prefix": f"{self.prefix}{_STAGING}"}
        versioning = ""
        with troubles.denials_told(f"versions of {self.address} are not known of", _RIGHTS):
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

    def asking(self) -> AbstractContextManager[None]:
        """Turn what boto3 raises into the domain's errors."""
        return troubles.asking(self.bucket)


def _stored(key: str, size: int, found: Any) -> Stored:
    """By its entity tag, as the store gives it with an object, its head and in lists."""
    mark = str(found["ETag"]).strip('"')
    return Stored(key, size, mark, found["LastModified"], own_sha256(found))
