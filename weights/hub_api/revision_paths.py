"""Splits a URL into revision and path, both of which may contain slashes.

Clients encode a revision's slashes as `%2F`, which WSGI decodes before views see them. Servers
that pass on the raw request target (gunicorn's `RAW_URI`) make the split unambiguous; on others,
and for revisions typed with plain slashes, the longest existing ref wins.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from django.http import HttpRequest

from accounts.web.sanitize import storable
from weights.publishing.models import Ref

#: Maximum URL segments that are tried as one ref name; more than three are rare.
_MAX_REF_SEGMENTS = 12
_FULL_REF = re.compile(r"^refs/(?:heads|tags)/")


def split_revision_and_path(
    request: HttpRequest, repo_id: str, rest: str, *, before: int
) -> Iterator[tuple[str, str]]:
    """Yields candidate pairs of revision and path, best first.

    `rest` is the decoded URL after the first `before` segments. Callers take the next
    candidate when one names no revision.
    """
    raw = _raw_path(request)
    if raw is None:
        yield _split_at_longest_ref(repo_id, rest) or _split_at_first_slash(rest)
        return
    revision, path = _split_at_first_slash(_drop_segments(raw, before))
    yield storable(unquote(revision)), storable(unquote(path))
    if "%2f" not in revision.lower() and (pair := _split_at_longest_ref(repo_id, rest)) is not None:
        yield pair


def _drop_segments(raw: str, count: int) -> str:
    """The encoded path without its first `count` segments.

    `%2F` ends a segment there, as it did for the URL resolver, which saw it decoded.
    """
    return re.split("/|%2F", raw, maxsplit=count + 1, flags=re.IGNORECASE)[count + 1]


def _raw_path(request: HttpRequest) -> str | None:
    """The path as sent; None if the server does not pass it on or middleware has changed it."""
    raw = str(request.META.get("RAW_URI", "")).partition("?")[0]
    return raw if raw and unquote(raw) == request.path_info else None


def _split_at_longest_ref(repo_id: str, rest: str) -> tuple[str, str] | None:
    """Splits `rest` after the longest prefix of several segments that is a branch or tag."""
    segments = rest.split("/")
    lengths = range(2, min(len(segments), _MAX_REF_SEGMENTS) + 1)
    names = {
        prefix: _FULL_REF.sub("", prefix) for prefix in ("/".join(segments[:n]) for n in lengths)
    }
    if not names:
        return None
    org, _, name = repo_id.partition("/")
    # A branch of a draft must not change how other people's URLs are parsed.
    refs = Ref.objects.shown().filter(
        checkpoint__org=org, checkpoint__name=name, name__in=names.values()
    )
    existing = set(refs.values_list("name", flat=True))
    found = [prefix for prefix, short in names.items() if short in existing]
    return (found[-1], rest[len(found[-1]) + 1 :]) if found else None


def _split_at_first_slash(rest: str) -> tuple[str, str]:
    revision, _, path = rest.partition("/")
    return revision, path
