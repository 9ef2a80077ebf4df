"""Reading a request's body, within the bounds of security.md section 5."""

import json
from typing import Any, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser

from weights.api.problems import Refused
from weights.names import can_exist

MOST_DEPTH = 32
MOST_VALUES = 1000


class BoundedParser(Parser):
    """JSON in UTF-8, at most 32 levels deep and 1000 values long.

    The size of 1 MiB is Django's to refuse, before anything is read.
    """

    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type != "application/json" or "Content-Encoding" in request.headers:
            raise Refused(
                "unsupported_media_type", "Send the body as application/json, not compressed."
            )
        try:
            text = request.body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused("body_not_utf8", "The body is not UTF-8.") from error
        value = _json(text)
        _check(value)
        return value


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise Refused("body_not_json", f"The body is not JSON: {error}.") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _check(value: Any) -> None:
    """Refuse what nests too deeply, holds too much, or holds text that no database keeps."""
    level, count, depth = [value], 0, 0
    while containers := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        if depth > MOST_DEPTH:
            raise _too_deep()
        level = [inner for one in containers for inner in _parts(one)]
        count += sum(len(one) for one in containers)
        if count > MOST_VALUES:
            raise Refused("body_too_long", f"The body holds more than {MOST_VALUES} values.")
        if any(isinstance(one, str) and not can_exist(one) for one in level):
            raise Refused("body_not_utf8", "The body holds NUL or half a surrogate pair.")


def _parts(container: dict[str, Any] | list[Any]) -> list[Any]:
    if isinstance(container, dict):
        return [*container, *container.values()]
    return container


def _too_deep() -> Refused:
    return Refused("body_too_deep", f"The body nests deeper than {MOST_DEPTH} levels.")
