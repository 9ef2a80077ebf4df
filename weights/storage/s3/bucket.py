"""The connection to one bucket, and the keys of objects in it."""

import uuid
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any, TypedDict

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from weights.storage.protocol import blob_key
from weights.storage.s3 import errors
from weights.storage.s3.checksums import Checksums
from weights.storage.s3.clock import StoreClock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONFIG = Config(
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=5,
    read_timeout=60,
    # Not every store supports the library's checksum trailers; ours are headers.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
#: While a person waits: two attempts of 1 + 2 s and the pause between them end within 7 s.
QUICK = CONFIG.merge(
    Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=1, read_timeout=2)
)
#: Bytes from which copies are made in parts; S3 refuses to copy more than 5 GB at once.
COPY_IN_PARTS_FROM = 1024 * 1024 * 1024
#: The prefix of uploads whose hash is still unknown.
STAGING = "staging/"


class Location(TypedDict):
    """The location of an object as boto3's arguments."""

    Bucket: str
    Key: str


def version(response: Any) -> dict[str, Any]:
    """The version in a response, as arguments; empty if the bucket is not versioned."""
    return {"VersionId": response["VersionId"]} if response.get("VersionId") else {}


class Bucket:
    """A bucket at one endpoint, or the part of it below `prefix`."""

    def __init__(
        self,
        session: boto3.session.Session,
        bucket: str,
        prefix: str,
        *,
        endpoint: str | None,
        checksums: Checksums,
    ) -> None:
        self.region = session.region_name or "us-east-1"
        self.address = f"s3://{bucket}/{prefix}".rstrip("/")
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.checksums = checksums
        self.client: S3Client = session.client(
            "s3", region_name=self.region, endpoint_url=endpoint, config=CONFIG
        )
        self.clock = StoreClock()
        self.clock.watch(self.client)
        self.copying = TransferConfig(
            multipart_threshold=COPY_IN_PARTS_FROM, multipart_chunksize=COPY_IN_PARTS_FROM
        )

    def location(self, sha256: str) -> Location:
        """The location of a blob."""
        return {"Bucket": self.bucket, "Key": self.prefix + blob_key(sha256)}

    def staging_location(self) -> Location:
        """A new location for bytes whose hash is still unknown."""
        return self.staged(uuid.uuid4().hex)

    def staged(self, name: str) -> Location:
        """The location of an object in staging."""
        return {"Bucket": self.bucket, "Key": f"{self.prefix}{STAGING}{name}"}

    def discard(self, staged: Location) -> None:
        """Delete an object in staging; if that fails, the sweep deletes it later."""
        with suppress(ClientError, BotoCoreError):
            # With its version, otherwise the bucket would keep it below a delete marker.
            found = self.client.head_object(**staged)
            self.client.delete_object(**staged, **version(found))

    def translated_errors(self) -> AbstractContextManager[None]:
        """Translate boto3's errors into the domain's."""
        return errors.translated(self.bucket)
