"""Checksums that the store verifies on upload, and those that it reports."""

import hashlib
import zlib
from base64 import b64decode, b64encode
from typing import Any, Literal

Checksums = Literal["sha256", "crc32", "none"]


def checksum(body: bytes, kind: Checksums) -> dict[str, Any]:
    """Returns the checksum of a request body as arguments; the store rejects a different body."""
    if kind == "sha256":
        return {"ChecksumSHA256": b64encode(hashlib.sha256(body).digest()).decode()}
    if kind == "crc32":
        return {"ChecksumCRC32": b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()}
    return {}


def algorithm(kind: Checksums) -> dict[str, Any]:
    """Returns the arguments that declare the checksums of a multipart upload's parts."""
    return {} if kind == "none" else {"ChecksumAlgorithm": kind.upper()}


def reported_sha256(response: Any) -> str:
    """Returns the store's SHA-256 of the whole object in hex, or "" if it has none."""
    encoded = str(response.get("ChecksumSHA256", ""))
    if response.get("ChecksumType") == "COMPOSITE" or "-" in encoded:
        return ""
    return b64decode(encoded).hex()
