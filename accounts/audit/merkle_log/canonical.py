"""Canonical JSON: the JSON Canonicalization Scheme (RFC 8785)."""

import json
from datetime import UTC, datetime
from typing import Any

import rfc8785

#: Much faster than `rfc8785`, with the same output for values that `_is_plain` accepts.
_encode = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode
_MAX_SAFE_INTEGER = 2**53 - 1


def canonical(value: Any) -> bytes:
    """Encode a JSON value; raises ValueError for NaN, infinities and integers over 2**53 - 1."""
    if _is_plain(value):
        return _encode(value).encode()
    return rfc8785.dumps(value)


def timestamp(at: datetime) -> str:
    """Return a UTC timestamp, always with microseconds: `2026-11-25T09:30:00.000000Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _is_plain(value: Any) -> bool:
    """True for strings, safe integers, booleans, nulls, arrays, and objects with ASCII keys."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return bool(-_MAX_SAFE_INTEGER <= value <= _MAX_SAFE_INTEGER)
    if kind is dict:
        return all(key.isascii() and _is_plain(item) for key, item in value.items())
    return kind is list and all(map(_is_plain, value))
