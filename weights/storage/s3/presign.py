"""Presigned GETs of an S3 bucket (AWS Signature Version 4), with one hash and one HMAC each.

Plain Python. Parts that many URLs share are computed once: the day's key, and the query for one
second and one lifetime. The result equals botocore's byte for byte.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote

from weights.storage.hmac_sha256 import HmacSha256

_UNRESERVED = "-._~"


@dataclass(frozen=True)
class Credential:
    """`token` is set only for a temporary credential."""

    access_key: str
    secret_key: str
    token: str | None = None


@dataclass(frozen=True)
class SharedParts:
    """The parts that are the same in all URLs of one second and one lifetime."""

    second: int
    seconds: int
    mac: HmacSha256  # with the day's key, and the start of the string to sign
    query: str  # the canonical query, without the object's own part
    tail: str  # the end of the URL, in botocore's order


class Presigner:
    """Signs URLs for one base URL of a bucket, such as `https://host/bucket/`, and one region."""

    def __init__(self, base: str, region: str, key: Credential) -> None:
        host, _, path = base.partition("://")[2].partition("/")
        self._base = base
        self._verb = f"GET\n/{path}"
        self._headers = f"\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
        self._region = region
        self._key = key
        self._latest: SharedParts | None = None

    def url(self, path: str, *, disposition: str, version: str = "", seconds: int, now: int) -> str:
        """The URL of one object, whose `path` below the base is already quoted.

        `now` is Unix time. `version` binds the URL to one version of the object.
        """
        shared = self._latest
        if shared is None or shared.second != now or shared.seconds != seconds:
            shared = self._latest = self._make(now, seconds)
        own = f"response-content-disposition={_quoted(disposition)}"
        if version:
            own = f"{own}&versionId={_quoted(version)}"
        request = f"{self._verb}{path}\n{shared.query}{own}{self._headers}"
        text = hashlib.sha256(request.encode()).hexdigest().encode()
        return f"{self._base}{path}?{own}{shared.tail}{shared.mac.digest(text).hex()}"

    def _make(self, second: int, seconds: int) -> SharedParts:
        stamp = datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{self._region}/s3/aws4_request"
        shared = (
            f"X-Amz-Algorithm=AWS4-HMAC-SHA256"
            f"&X-Amz-Credential={_quoted(f'{self._key.access_key}/{scope}')}"
            f"&X-Amz-Date={stamp}&X-Amz-Expires={seconds}"
        )
        signed = "X-Amz-SignedHeaders=host"
        token = self._key.token
        passed = f"X-Amz-Security-Token={quote(token, safe=_UNRESERVED)}" if token else ""
        # The parameters are signed in alphabetical order, but botocore writes them in another.
        canonical = [shared, passed, signed] if token else [shared, signed]
        written = [shared, signed, passed] if token else [shared, signed]
        return SharedParts(
            second,
            seconds,
            mac=HmacSha256(
                _signing_key(self._key.secret_key, stamp[:8], self._region),
                f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n".encode(),
            ),
            query="&".join(canonical) + "&",
            tail="&" + "&".join(written) + "&X-Amz-Signature=",
        )


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    """Percent-encode as the signature requires; cached, since file names recur."""
    return quote(text, safe=_UNRESERVED)


@lru_cache(maxsize=16)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    """The signing key for a secret, day and region."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
