"""Conditional requests (RFC 9110 section 13): plain Python, no database.

Each function evaluates headers against the strong entity tag of a file, without quotes, and its
time of modification in seconds since the epoch.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.http import parse_http_date_safe

_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_TAGS = re.compile(rf"[ \t,]*{_TAG.pattern}(?:[ \t]*,[ \t,]*{_TAG.pattern})*[ \t,]*")


@dataclass(frozen=True)
class Conditions:
    """The range and condition headers as received; None for one that was not sent.

    WSGI joins a repeated header with a comma: two ranges read as a list, and two If-Range as
    malformed.
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


def precondition_failed(conditions: Conditions, etag: str, modified: int) -> bool:
    """True if If-Match, or else If-Unmodified-Since, requires status 412."""
    if conditions.if_match is not None:
        return not _names(conditions.if_match, etag, weakly=False)
    limit = _seconds(conditions.if_unmodified_since)
    return limit is not None and modified > limit


def not_modified(conditions: Conditions, etag: str, modified: int) -> bool:
    """True if If-None-Match, or else If-Modified-Since, allows status 304."""
    if conditions.if_none_match is not None:
        return _names(conditions.if_none_match, etag, weakly=True)
    since = _seconds(conditions.if_modified_since)
    return since is not None and modified <= since


def if_range_holds(header: str | None, etag: str) -> bool:
    """True without If-Range, or if it is the current strong tag.

    False for a date or a weak tag, since neither guarantees the same bytes.
    """
    return header is None or header.strip(" \t") == f'"{etag}"'


def _names(header: str, etag: str, *, weakly: bool) -> bool:
    """True if `etag` is in a list of entity tags, or the list is `*`; False if it is malformed."""
    text = header.strip(" \t")
    if text == "*":
        return True
    if not _TAGS.fullmatch(text):
        return False
    return any(tag == f'"{etag}"' and (weakly or not weak) for weak, tag in _TAG.findall(text))


def _seconds(header: str | None) -> int | None:
    return None if header is None else parse_http_date_safe(header)
