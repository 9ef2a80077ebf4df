"""Signed URLs of objects, from our own signer if its results equal the library's."""

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from weights.errors import StorageUnavailable
from weights.storage.protocol import URL_SECONDS_MOST, blob_key
from weights.storage.s3.bucket import CONFIG, Bucket
from weights.storage.s3.presign import Credential, Presigner
from weights.web.http_headers import disposition

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = logging.getLogger(__name__)

#: The name of no object, for the URL that compares the two signers.
_PROBE = "0" * 64


class Signer:
    """Signs URLs of one bucket at an endpoint that may differ from the portal's.

    The host is part of a signature, and users may reach the store under another host name.
    """

    def __init__(
        self, session: boto3.session.Session, endpoint: str | None, bucket: Bucket
    ) -> None:
        self.client: S3Client = session.client(
            "s3", region_name=bucket.region, endpoint_url=endpoint, config=CONFIG
        )
        self.credentials: Any = session.get_credentials()
        #: The credential and our signer for it, or None as the signer if the library must sign.
        self.presigner: tuple[Credential, Presigner | None] | None = None
        self._bucket = bucket

    def url(self, sha256: str, *, filename: str, seconds: int, version: str, now: int) -> str:
        """The URL of a version of a blob, valid for `seconds` from `now`, in Unix time.

        Raises StorageUnavailable if no credential can sign.
        """
        presigner, ends = self._presigner_of_now()
        life = clamp(seconds, None if ends is None else ends - now)
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
        """The signer for the current credential, and the credential's expiry in Unix time."""
        if self.presigner is not None and type(self.credentials) is Credentials:
            return self.presigner[1], None  # a credential that never changes
        key, ends = self._key()
        return self._presigner_for(key), None if ends is None else int(ends.timestamp())

    def _key(self) -> tuple[Credential, datetime | None]:
        """The current credential, renewed if it is temporary, and when it expires."""
        if self.credentials is None:
            raise StorageUnavailable("there are no S3 credentials; set AWS_ACCESS_KEY_ID")
        try:
            frozen = self.credentials.get_frozen_credentials()
        except (ClientError, BotoCoreError, RuntimeError) as error:
            raise StorageUnavailable(f"the S3 credentials cannot be renewed: {error}") from error
        key = Credential(str(frozen.access_key), str(frozen.secret_key), frozen.token)
        # The library has no public attribute for the expiry of a temporary credential.
        return key, getattr(self.credentials, "_expiry_time", None)

    def _presigner_for(self, key: Credential) -> Presigner | None:
        """Our own signer, if its results for this bucket and credential equal the library's."""
        latest = self.presigner
        if latest is None or latest[0] != key:
            latest = self.presigner = (key, self._compared_presigner(key))
        return latest[1]

    def _compared_presigner(self, key: Credential) -> Presigner | None:
        """A signer for the bucket's base URL as the library writes it, if a test URL is equal."""
        theirs = self._signed_by_library(_PROBE, "probe", 60, "1")
        presigner = Presigner(
            theirs.partition("?")[0].removesuffix(blob_key(_PROBE)), self._bucket.region, key
        )
        for stamp in parse_qs(urlsplit(theirs).query).get("X-Amz-Date", []):
            now = int(datetime.strptime(f"{stamp}+0000", "%Y%m%dT%H%M%SZ%z").timestamp())
            saved_as = disposition("probe")
            if theirs == presigner.url(
                blob_key(_PROBE), disposition=saved_as, version="1", seconds=60, now=now
            ):
                return presigner
        log.warning("URLs of %s are signed by the library, one by one", self._bucket.address)
        return None

    def _signed_by_library(self, sha256: str, filename: str, seconds: int, version: str) -> str:
        wanted = {
            **self._bucket.location(sha256),
            "ResponseContentDisposition": disposition(filename),
        }
        if version:
            wanted["VersionId"] = version
        with self._bucket.translated_errors():
            return self.client.generate_presigned_url(
                "get_object", Params=wanted, ExpiresIn=seconds
            )


def clamp(seconds: int, left: int | None = None) -> int:
    """Limit a URL's lifetime to our maximum and to the credential's `left` seconds.

    The library ignores the latter. Raises StorageUnavailable if the credential has expired.
    """
    if left is not None and left < 1:
        raise StorageUnavailable("the S3 credentials have expired")
    return max(1, min(seconds, URL_SECONDS_MOST, URL_SECONDS_MOST if left is None else left))
