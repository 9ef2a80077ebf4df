"""One spelling of a value as bytes: the JSON Canonicalization Scheme (RFC 8785)."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import rfc8785

#: Python's own encoder writes the same bytes as RFC 8785 for all that `_is_plain`, much faster.
_encode = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode
_MOST = 2**53 - 1


def canonical(value: Any) -> bytes:
    """Raises ValueError for what JSON between programs cannot carry, such as NaN."""
    if _is_plain(value):
        return _encode(value).encode()
    return rfc8785.dumps(value)


def moment(at: datetime) -> str:
    """UTC to the microsecond, always written out: `2026-11-25T09:30:00.000000Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def person(public_id: UUID | None) -> str | None:
    return str(public_id) if public_id else None


def _is_plain(value: Any) -> bool:
    """Words, small whole numbers, and objects with ASCII keys."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return bool(-_MOST <= value <= _MOST)
    if kind is dict:
        return all(key.isascii() and _is_plain(one) for key, one in value.items())
    return kind is list and all(map(_is_plain, value))
