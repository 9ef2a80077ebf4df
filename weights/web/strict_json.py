"""JSON that somebody sent, within bounds (docs/requirements.md, HT-7): plain Python, no records."""

import json
import math
from typing import Any, NoReturn

from accounts.web.sanitize import is_storable
from weights.errors import BadBody

MOST_DEPTH = 32
MOST_VALUES = 1000


def read(body: bytes) -> Any:
    """The value of a body in UTF-8, at most 32 levels deep and 1000 values long.

    Its bytes are the web server's and Django's to bound. Raises BadBody.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadBody("body_not_utf8", "The body is not UTF-8.") from error
    value = _value(text)
    _check(value)
    return value


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise BadBody("body_not_json", f"The body is not JSON: {error}.") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is beyond all bounds")
    return number


def _check(value: Any) -> None:
    """Refuse what nests too deeply, holds too much, or holds text that no database keeps."""
    level, count, depth = [value], 0, 0
    _check_texts(level)
    while containers := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        if depth > MOST_DEPTH:
            raise _too_deep()
        level = [inner for one in containers for inner in _parts(one)]
        count += sum(len(one) for one in containers)
        if count > MOST_VALUES:
            raise BadBody("body_too_long", f"The body holds more than {MOST_VALUES} values.")
        _check_texts(level)


def _check_texts(values: list[Any]) -> None:
    if any(isinstance(one, str) and not is_storable(one) for one in values):
        raise BadBody("body_not_utf8", "The body holds NUL or half a surrogate pair.")


def _parts(container: dict[str, Any] | list[Any]) -> list[Any]:
    if isinstance(container, dict):
        return [*container, *container.values()]
    return container


def _too_deep() -> BadBody:
    return BadBody("body_too_deep", f"The body nests deeper than {MOST_DEPTH} levels.")
