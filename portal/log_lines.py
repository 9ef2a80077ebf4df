"""What a line of the log may hold: one line, and no credential that somebody sent."""

from collections.abc import MutableMapping
from typing import Any

from accounts import printable

#: Our own tracebacks, which have lines.
_AS_THEY_ARE = {"exception", "stack"}


def one_line(logger: Any, name: str, said: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog: texts from outside cannot forge another line."""
    for key, value in said.items():
        if isinstance(value, str) and key not in _AS_THEY_ARE:
            said[key] = printable.line(value)
    return said
