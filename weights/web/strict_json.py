"""JSON request bodies within limits (docs/requirements.md, HT-7)."""

import json
import math
from typing import Any, NoReturn

from django.http import HttpRequest

from accounts.errors import InvalidValue
from accounts.web.sanitize import is_storable
from weights.errors import BadBody, WeightsCode

MAX_DEPTH = 32
MAX_VALUES = 1000


def read(body: bytes, *, max_values: int = MAX_VALUES) -> Any:
    """Parses a UTF-8 body of at most 32 levels and `max_values` values; raises BadBody.

    The web server and Django limit its bytes.
    """
    try:
        value = json.loads(
            body.decode("utf-8"), parse_constant=_reject_constant, parse_float=_finite_float
        )
    except UnicodeDecodeError as error:
        raise BadBody(WeightsCode.BODY_NOT_UTF8, "The body is not UTF-8.") from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise BadBody(WeightsCode.BODY_NOT_JSON, f"The body is not JSON: {error}.") from error
    _check_limits(value, max_values)
    return value


def read_object(request: HttpRequest, *, max_values: int = MAX_VALUES) -> dict[str, Any]:
    """Returns the request's body. Raises as `read`, and InvalidValue unless it is an object."""
    body = read(request.body, max_values=max_values)
    if not isinstance(body, dict):
        raise InvalidValue("send a JSON object")
    return body


def text(body: dict[str, Any], key: str) -> str:
    """The string under `key`; empty if it is missing or null. Raises InvalidValue."""
    value = body.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidValue(f"{key} must be a string")
    return value


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is too large for a double")
    return number


def _check_limits(value: Any, max_values: int) -> None:
    """Raises BadBody for excessive depth or length, and for text that PostgreSQL cannot store."""
    level, count, depth = [value], 0, 0
    while level:
        if any(isinstance(item, str) and not is_storable(item) for item in level):
            raise BadBody(
                WeightsCode.BODY_NOT_UTF8, "The body contains NUL or an unpaired surrogate."
            )
        containers = [item for item in level if isinstance(item, dict | list)]
        depth += bool(containers)
        if depth > MAX_DEPTH:
            raise _too_deep()
        count += sum(map(len, containers))
        level = [item for container in containers for item in _items(container)]
        if count > max_values:
            raise BadBody(
                WeightsCode.BODY_TOO_LONG, f"The body contains more than {max_values} values."
            )


def _items(container: dict[str, Any] | list[Any]) -> list[Any]:
    if isinstance(container, dict):
        return [*container, *container.values()]
    return container


def _too_deep() -> BadBody:
    return BadBody(WeightsCode.BODY_TOO_DEEP, f"The body is nested deeper than {MAX_DEPTH} levels.")
