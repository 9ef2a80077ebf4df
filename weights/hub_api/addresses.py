"""Which revision and path an address names, when both may hold slashes.

Clients send a revision's slashes as `%2F`, which WSGI decodes before the views see it. Where
the server keeps the request target (gunicorn's `RAW_URI`), it is read; elsewhere, and for
those who typed a plain slash, the longest ref that exists is taken.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from django.http import HttpRequest

from accounts.web.sanitize import storable
from weights.publishing.models import Ref

#: Parts a ref's name is looked for in; git hosts rarely show more than three.
_MOST_PARTS = 12
_FULL = ("refs/heads/", "refs/tags/")


def revision_and_path(
    request: HttpRequest, repo_id: str, rest: str, *, before: int
) -> Iterator[tuple[str, str]]:
    """The readings of `rest`, best first; the next is asked for when one names no revision.

    `before` counts the address's parts that precede the revision.
    """
    raw = _raw_path(request)
    if raw is None:
        yield _longest_ref(repo_id, rest) or _first_part(rest)
        return
    revision, path = _first_part(_after(raw, before))
    yield storable(unquote(revision)), storable(unquote(path))
    if "%2f" not in revision.lower() and (found := _longest_ref(repo_id, rest)) is not None:
        yield found


def _after(raw: str, parts: int) -> str:
    """What follows the first `parts` parts of a path as sent, still encoded.

    The URL resolver took `%2F` for a slash there, since WSGI had decoded it.
    """
    return re.split("/|%2F", raw, maxsplit=parts + 1, flags=re.IGNORECASE)[parts + 1]


def _raw_path(request: HttpRequest) -> str | None:
    """The path as sent; None when the server did not keep it, or something rewrote it since."""
    raw = str(request.META.get("RAW_URI", "")).partition("?")[0]
    return raw if raw and unquote(raw) == request.path_info else None


def _longest_ref(repo_id: str, rest: str) -> tuple[str, str] | None:
    """The longest prefix of several parts that is a branch or tag, and what follows it."""
    parts = rest.split("/")
    prefixes = ["/".join(parts[:count]) for count in range(2, min(len(parts), _MOST_PARTS) + 1)]
    if not prefixes:
        return None
    org, _, name = repo_id.partition("/")
    known = set(
        Ref.objects.filter(
            checkpoint__org=org,
            checkpoint__name=name,
            name__in=[_short(prefix) for prefix in prefixes],
        ).values_list("name", flat=True)
    )
    found = [prefix for prefix in prefixes if _short(prefix) in known]
    if not found:
        return None
    return found[-1], rest[len(found[-1]) + 1 :]


def _first_part(rest: str) -> tuple[str, str]:
    revision, _, path = rest.partition("/")
    return revision, path


def _short(name: str) -> str:
    for prefix in _FULL:
        name = name.removeprefix(prefix)
    return name
