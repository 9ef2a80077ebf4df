"""Ranges (RFC 9110 section 14): plain Python, no database.

`plan` chooses the response to a GET or HEAD: the whole file, one part, or no bytes. Numbers are
matched with ASCII-only patterns, since `int()` and `isdigit()` accept signs, underscores and
digits of other scripts.
"""

import re
from dataclasses import dataclass

from weights.web.conditional_requests import (
    Conditions,
    if_range_holds,
    not_modified,
    precondition_failed,
)

#: Maximum digits of a position; 18 nines are just under an exabyte and fit in 64 bits.
_MOST_DIGITS = 18
# Range units are case-insensitive (RFC 9110 section 14.1).
_RANGE = re.compile(r"bytes=(?:([0-9]+)-([0-9]*)|-([0-9]+))", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Plan:
    """The response: 200 or 206 with these bytes, or 304, 412 or 416 without bytes."""

    status: int
    start: int = 0
    length: int = 0

    def content_range(self, size: int) -> str | None:
        """The Content-Range header of a 206 or 416 for `size` bytes; None for other statuses."""
        if self.status == 206:
            return f"bytes {self.start}-{self.start + self.length - 1}/{size}"
        return f"bytes */{size}" if self.status == 416 else None


def plan(method: str, conditions: Conditions, *, etag: str, size: int, modified: int) -> Plan:
    """Evaluate preconditions, then the range, in the order of RFC 9110 section 13.2.2.

    `etag` is the strong tag without quotes, `size` is in bytes, `modified` in Unix seconds.
    """
    if precondition_failed(conditions, etag, modified):
        return Plan(412)
    if not_modified(conditions, etag, modified):
        return Plan(304)
    if method != "GET" or conditions.range is None or not if_range_holds(conditions.if_range, etag):
        return Plan(200, 0, size)
    return part(conditions.range, size)


def part(header: str, size: int) -> Plan:
    """The answer to one Range header for `size` bytes."""
    whole = Plan(200, 0, size)
    found = _RANGE.fullmatch(header.strip(" \t"))
    if not found:
        return whole
    if any(digits and len(digits) > _MOST_DIGITS for digits in found.groups()):
        return Plan(416)
    first, last, suffix = found.groups()
    if suffix is not None:
        return _last_bytes(int(suffix), size)
    start = int(first)
    if last and int(last) < start:
        return whole
    if start >= size:
        return Plan(416)
    end = min(int(last), size - 1) if last else size - 1
    return Plan(206, start, end - start + 1)


def _last_bytes(count: int, size: int) -> Plan:
    if count == 0:
        return Plan(416)
    if size == 0:
        return Plan(200, 0, 0)  # Content-Range cannot express an empty range
    length = min(count, size)
    return Plan(206, size - length, length)
