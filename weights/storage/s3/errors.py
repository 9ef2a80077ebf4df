"""Translates boto3 errors into the domain's exceptions."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from weights.errors import BlobMissing, ClockSkewed, StorageFull, StorageUnavailable, WeightsError
from weights.storage.protocol import PastTheEnd

log = logging.getLogger(__name__)

_MISSING = {"404", "NoSuchKey", "NoSuchVersion", "NoSuchUpload", "NotFound"}
_PAST_THE_END = {"416", "InvalidRange"}
_DAMAGED = {"BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"}
_DENIED = {"403", "AccessDenied"}
#: Our clock differs too much from the store's.
_SKEWED = {"RequestTimeTooSkewed"}
_FULL = {"507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull"}


@contextmanager
def translated(bucket: str) -> Iterator[None]:
    """Translate boto3 errors into the domain's exceptions."""
    try:
        yield
    except (ClientError, BotoCoreError, HTTPClientError) as error:
        raise _translate(error, bucket) from error


@contextmanager
def logged_denials(consequence: str, permissions: str) -> Iterator[None]:
    """Log denied operations with their consequence and the missing permissions; do not raise."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in _DENIED:
            raise
        log.warning("%s: %s; allow %s", consequence, error, permissions)


def _translate(error: Exception, bucket: str) -> WeightsError:
    response = error.response if isinstance(error, ClientError) else {}
    code = str(response.get("Error", {}).get("Code", ""))
    if code in _MISSING:
        return BlobMissing(f"it is not in the bucket {bucket}")
    if code in _SKEWED:
        return ClockSkewed(
            f"the bucket {bucket} refuses our requests, because the clock of this machine is wrong;"
            " correct it: timedatectl set-ntp true"
        )
    if code in _PAST_THE_END:
        return PastTheEnd(f"the range is beyond its end in the bucket {bucket}")
    if code in _FULL:
        return StorageFull(
            f"the bucket {bucket} is full; free some space and run the command again"
        )
    if code in _DAMAGED:
        return StorageUnavailable(
            f"the bytes that reached the bucket {bucket} differ from what was sent; try again"
        )
    return StorageUnavailable(f"the bucket {bucket} does not answer: {error}")
