"""Signed heads of the audit trail as objects of a bucket, an object a head."""

from weights.errors import WeightsError
from weights.storage import store_at
from weights.storage.s3 import S3Storage


def put(place: str, name: str, note: str) -> None:
    """Write a head to `s3://bucket/prefix`, at the endpoint of the blobs. Raises OSError."""
    try:
        store = store_at(place)
        assert isinstance(store, S3Storage)  # by the scheme of the place
        store.put_text(name, note)
    except WeightsError as error:
        raise OSError(str(error)) from error
