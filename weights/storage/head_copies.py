"""Signed heads of the audit trail as objects of a bucket, an object a head."""

from typing import TYPE_CHECKING, cast

from weights.errors import WeightsError
from weights.storage import store_at

if TYPE_CHECKING:
    from weights.storage.s3 import S3Storage


def put(place: str, name: str, note: str) -> None:
    """Write a head to `s3://bucket/prefix`, at the endpoint of the blobs. Raises OSError."""
    try:
        store = cast("S3Storage", store_at(place))  # by the scheme of the place
        store.put_text(name, note)
    except WeightsError as error:
        raise OSError(str(error)) from error
