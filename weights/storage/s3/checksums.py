"""Checksums that the store compares with the bytes of a request, and those that it reports."""

import hashlib
import zlib
from base64 import b64decode, b64encode
from typing import Any, Literal

Checksums = Literal["sha256", "crc32", "none"]


def checksum(body: bytes, kind: Checksums) -> dict[str, Any]:
    """The checksum of a request's body as arguments; the store refuses a body that differs."""
    if kind == "sha256":
        return {"ChecksumSHA256": b64encode(hashlib.sha256(body).digest()).decode()}
    if kind == "crc32":
        return {"ChecksumCRC32": b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()}
    return {}


def algorithm(kind: Checksums) -> dict[str, Any]:
    """The arguments by which a multipart upload announces the checksums of its parts."""
    return {} if kind == "none" else {"ChecksumAlgorithm": kind.upper()}


def reported_sha256(response: Any) -> str:
    """The store's own SHA-256 of all the bytes, in hex; empty for none, or one of parts."""
    encoded = str(response.get("ChecksumSHA256", ""))
    if response.get("ChecksumType") == "COMPOSITE" or "-" in encoded:
        return ""
    return b64decode(encoded).hex()
