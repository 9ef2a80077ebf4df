"""Checksums that the store holds the bytes of a request against, and those that it tells."""

import hashlib
import zlib
from base64 import b64decode, b64encode
from typing import Any, Literal

Checksums = Literal["sha256", "crc32", "none"]


def checksum(body: bytes, kind: Checksums) -> dict[str, Any]:
    """The checksum of one request's body as arguments; the store refuses a body that differs."""
    if kind == "sha256":
        return {"ChecksumSHA256": b64encode(hashlib.sha256(body).digest()).decode()}
    if kind == "crc32":
        return {"ChecksumCRC32": b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()}
    return {}


def algorithm(kind: Checksums) -> dict[str, Any]:
    """What an upload in parts must announce for its parts to carry checksums."""
    return {} if kind == "none" else {"ChecksumAlgorithm": kind.upper()}


def own_sha256(found: Any) -> str:
    """What the store computed of all the bytes, in hex; one made of those of parts is no such."""
    told = str(found.get("ChecksumSHA256", ""))
    if found.get("ChecksumType") == "COMPOSITE" or "-" in told:
        return ""
    return b64decode(told).hex()
