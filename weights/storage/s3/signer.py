"""Signed addresses of objects: by our own signer where it signs as the library does."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from weights.errors import StorageUnavailable
from weights.storage.presign import Key, Presigner
from weights.storage.protocol import URL_SECONDS_MOST, blob_key
from weights.storage.s3.place import CONFIG, Place
from weights.storage.s3.troubles import asking
from weights.web.http_headers import disposition

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = logging.getLogger(__name__)

#: A name under which nothing is stored, to ask the library how it would sign one.
_PROBE = "0" * 64


class Signer:
    """Signs addresses at one endpoint, which may be another than the portal works through.

    For the host is part of a signature, and users may reach the store under another name.
    `place` says where a blob is; `region` and `address` are the bucket's.
    """

    def __init__(
        self,
        session: boto3.session.Session,
        endpoint: str | None,
        *,
        region: str,
        address: str,
        place: Callable[[str], Place],
    ) -> None:
        self.client: S3Client = session.client(
            "s3", region_name=region, endpoint_url=endpoint, config=CONFIG
        )
        self.credentials: Any = session.get_credentials()
        #: Ours and the credential it signs with, once known; None where the library signs.
        self.presigner: tuple[Key, Presigner | None] | None = None
        self._region = region
        self._address = address
        self._place = place

    def url(self, sha256: str, *, filename: str, seconds: int, version: str, now: int) -> str:
        """The address of a version of a blob for so many seconds from `now` on, in Unix time.

        Raises StorageUnavailable where there is no credential that could sign.
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
        """What signs with the credential of now, and when that ends in Unix time, if it does."""
        if self.presigner is not None and type(self.credentials) is Credentials:
            return self.presigner[1], None  # of the kind that never changes
        key, ends = self._key()
        return self._presigner_for(key), None if ends is None else int(ends.timestamp())

    def _key(self) -> tuple[Key, datetime | None]:
        """The credential of now, renewed if it is a temporary one, and when it ends."""
        if self.credentials is None:
            raise StorageUnavailable("there are no S3 credentials; set AWS_ACCESS_KEY_ID")
        try:
            frozen = self.credentials.get_frozen_credentials()
        except (ClientError, BotoCoreError, RuntimeError) as error:
            raise StorageUnavailable(f"the S3 credentials cannot be renewed: {error}") from error
        key = Key(str(frozen.access_key), str(frozen.secret_key), frozen.token)
        # The library knows it of temporary credentials, and has no public name for it.
        return key, getattr(self.credentials, "_expiry_time", None)

    def _presigner_for(self, key: Key) -> Presigner | None:
        """Our own signer, if it signs as the library does for this bucket and credential."""
        known = self.presigner
        if known is None or known[0] != key:
            known = self.presigner = (key, self._tried_presigner(key))
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
        log.warning("addresses of %s are signed by the library, one by one", self._address)
        return None

    def _signed_by_library(self, sha256: str, filename: str, seconds: int, version: str) -> str:
        wanted = {**self._place(sha256), "ResponseContentDisposition": disposition(filename)}
        if version:
            wanted["VersionId"] = version
        with asking(self._place(sha256)["Bucket"]):
            return self.client.generate_presigned_url(
                "get_object", Params=wanted, ExpiresIn=seconds
            )


def clamp(seconds: int, left: int | None = None) -> int:
    """Within our own bounds and what is left of the credential, which the library ignores.

    Raises StorageUnavailable when the credential has ended: the address would be dead.
    """
    if left is not None and left < 1:
        raise StorageUnavailable("the S3 credentials have ended")
    return max(1, min(seconds, URL_SECONDS_MOST, URL_SECONDS_MOST if left is None else left))
