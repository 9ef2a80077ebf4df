"""What a line of the log may hold: one line, and no credential that somebody sent."""

from collections.abc import MutableMapping
from typing import Any

from accounts.web import sanitize

#: Tracebacks have lines; an exception's message in them may come from outside.
_OF_LINES = {"exception", "stack"}


def one_line(logger: Any, name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog: texts from outside cannot forge another line."""
    for key, value in entry.items():
        if isinstance(value, str):
            entry[key] = _lines(value) if key in _OF_LINES else sanitize.log_line(value)
    return entry


def _lines(traceback: str) -> str:
    return sanitize.multiline(sanitize.without_secrets(traceback))
