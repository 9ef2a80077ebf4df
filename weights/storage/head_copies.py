"""Copies of the audit trail's signed heads in a bucket, one object per head."""

from collections.abc import Collection
from typing import TYPE_CHECKING, cast

from weights.errors import WeightsError
from weights.storage import store_at

if TYPE_CHECKING:
    from weights.storage.s3 import S3Storage


def put(place: str, name: str, note: str) -> None:
    """Write a head below `s3://bucket/prefix`, at the blobs' endpoint. Raises OSError."""
    try:
        _store(place).put_text(name, note)
    except WeightsError as error:
        raise OSError(str(error)) from error


def read(place: str, leave_out: Collection[str]) -> list[str]:
    """The heads below `s3://bucket/prefix` in the order of writing. Raises OSError."""
    try:
        return _store(place).texts(leave_out)
    except WeightsError as error:
        raise OSError(str(error)) from error


def _store(place: str) -> "S3Storage":
    return cast("S3Storage", store_at(place))  # the scheme is s3
