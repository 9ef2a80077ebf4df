"""What the store says, in the domain's words."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from weights.errors import BlobMissing, StorageFull, StorageUnavailable, WeightsError
from weights.storage.protocol import PastTheEnd

log = logging.getLogger(__name__)

_GONE = {"404", "NoSuchKey", "NoSuchVersion", "NotFound"}
_PAST = {"416", "InvalidRange"}
_DAMAGED = {"BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"}
_DENIED = {"403", "AccessDenied"}
_FULL = {"507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull"}


@contextmanager
def asking(bucket: str) -> Iterator[None]:
    """Turn what boto3 raises into the domain's errors."""
    try:
        yield
    except (ClientError, BotoCoreError, HTTPClientError) as error:
        raise _refusal(error, bucket) from error


@contextmanager
def denials_told(what: str, needed: str) -> Iterator[None]:
    """Leave what the credential may not do, and log what stays undone and what it would need."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in _DENIED:
            raise
        log.warning("%s: %s; allow %s", what, error, needed)


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
