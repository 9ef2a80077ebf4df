"""JSON responses, their pagination by `Link` headers, and the query parameters of both."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, JsonResponse

Item = TypeVar("Item")


def json_response(payload: Any) -> JsonResponse:
    response = JsonResponse(payload, safe=False)
    response["Cache-Control"] = "private, no-store"
    return response


def page_response(
    request: HttpRequest,
    items: Sequence[Item],
    serialize: Callable[[Item], dict[str, Any]],
    path: str,
    size: int,
) -> JsonResponse:
    """The page of `size` items that starts at the query's `cursor`; `Link` names the next page.

    `path` is the URL path of the next page.
    """
    start = number_param(request, "cursor")
    response = json_response([serialize(item) for item in items[start : start + size]])
    if start + size < len(items):
        response["Link"] = next_link(request, path, start + size)
    return response


def next_link(request: HttpRequest, path: str, cursor: int | str) -> str:
    """A `Link` header to the next page: `path` with this request's query and a new `cursor`."""
    query = [(k, v) for k, values in request.GET.lists() if k != "cursor" for v in values]
    query.append(("cursor", str(cursor)))
    return f'<{settings.PUBLIC_URL}{path}?{urlencode(query)}>; rel="next"'


def number_param(request: HttpRequest, name: str, *, digits: int = 9) -> int:
    """A decimal query parameter; 0 if it is missing, malformed or longer than `digits`."""
    text = request.GET.get(name, "")
    valid = text.isascii() and text.isdecimal() and len(text) <= digits
    return int(text) if valid else 0


def expand_param(request: HttpRequest) -> list[str]:
    """The properties named by `expand`, in either spelling that clients use for a list."""
    return request.GET.getlist("expand") + request.GET.getlist("expand[]")


def is_true(value: str | None) -> bool:
    return (value or "").lower() in {"true", "1"}
