"""RFC 9110 ranges and conditions: plain Python, no database.

`plan` chooses the response to a GET or HEAD: the whole file, one part, or no byte. Numbers are
read by ASCII-only patterns, since `int()` and `isdigit()` accept signs, underscores and digits
of other scripts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.http import parse_http_date_safe

#: Digits a position may have; 18 nines are a little under an exabyte and fit 64 bits.
_MOST_DIGITS = 18
# Range units are case-insensitive (RFC 9110 section 14.1).
_RANGE = re.compile(r"bytes=(?:([0-9]+)-([0-9]*)|-([0-9]+))", re.IGNORECASE | re.ASCII)
_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_TAGS = re.compile(rf"[ \t,]*{_TAG.pattern}(?:[ \t]*,[ \t,]*{_TAG.pattern})*[ \t,]*")


@dataclass(frozen=True)
class Conditions:
    """The range and condition headers as received; None for one that was not sent.

    A header that was sent twice arrives joined by a comma and is read as such: two ranges
    are several, two If-Range are malformed.
    """

    range: str | None = None
    if_range: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    if_unmodified_since: str | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Conditions":
        """The headers of a request, by their WSGI names (PEP 3333)."""
        return cls(
            range=environ.get("HTTP_RANGE"),
            if_range=environ.get("HTTP_IF_RANGE"),
            if_match=environ.get("HTTP_IF_MATCH"),
            if_none_match=environ.get("HTTP_IF_NONE_MATCH"),
            if_modified_since=environ.get("HTTP_IF_MODIFIED_SINCE"),
            if_unmodified_since=environ.get("HTTP_IF_UNMODIFIED_SINCE"),
        )


@dataclass(frozen=True)
class Plan:
    """The response: 200 or 206 with these bytes; 304, 412 or 416 without."""

    status: int
    start: int = 0
    length: int = 0

    def content_range(self, size: int) -> str | None:
        """The Content-Range header of a 206 or 416 about `size` bytes; None for the others."""
        if self.status == 206:
            return f"bytes {self.start}-{self.start + self.length - 1}/{size}"
        return f"bytes */{size}" if self.status == 416 else None


def plan(method: str, conditions: Conditions, *, etag: str, size: int, modified: int) -> Plan:
    """Evaluate conditions, then the range, in the order of RFC 9110 section 13.2.2.

    `etag` is the strong tag without quotes, `size` bytes, `modified` seconds since the epoch.
    """
    if _precondition_failed(conditions, etag, modified):
        return Plan(412)
    if _not_modified(conditions, etag, modified):
        return Plan(304)
    if (
        method != "GET"
        or conditions.range is None
        or not _if_range_holds(conditions.if_range, etag)
    ):
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
        return Plan(200, 0, 0)  # Content-Range has no way to say "the last bytes of nothing"
    length = min(count, size)
    return Plan(206, size - length, length)


def _precondition_failed(conditions: Conditions, etag: str, modified: int) -> bool:
    if conditions.if_match is not None:
        return not _names(conditions.if_match, etag, weakly=False)
    limit = _seconds(conditions.if_unmodified_since)
    return limit is not None and modified > limit


def _not_modified(conditions: Conditions, etag: str, modified: int) -> bool:
    if conditions.if_none_match is not None:
        return _names(conditions.if_none_match, etag, weakly=True)
    since = _seconds(conditions.if_modified_since)
    return since is not None and modified <= since


def _if_range_holds(header: str | None, etag: str) -> bool:
    """Only the current strong tag: a date is a guess, and a weak tag promises no bytes."""
    return header is None or header.strip(" \t") == f'"{etag}"'


def _names(header: str, etag: str, *, weakly: bool) -> bool:
    """True if a list of entity tags, or `*`, names `etag`; a malformed list names nothing."""
    text = header.strip(" \t")
    if text == "*":
        return True
    if not _TAGS.fullmatch(text):
        return False
    return any(tag == f'"{etag}"' and (weakly or not weak) for weak, tag in _TAG.findall(text))


def _seconds(header: str | None) -> int | None:
    return None if header is None else parse_http_date_safe(header)
