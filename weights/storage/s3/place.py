"""Where objects are, and how the store that holds them is asked."""

from typing import TypedDict

from botocore.config import Config

CONFIG = Config(
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=5,
    read_timeout=60,
    # Not every store understands the library's checksum trailers; ours go into headers.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
#: For what a person waits for: two tries of 1 + 2 s and the pause between end after 7 s.
QUICK = CONFIG.merge(
    Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=1, read_timeout=2)
)


class Place(TypedDict):
    """Where an object is, as boto3's arguments."""

    Bucket: str
    Key: str
