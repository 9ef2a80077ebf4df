"""Parses the YAML front matter of a README.md into JSON values.

Accepts mappings, lists and scalars with the types of YAML 1.2's core schema, like the Hub: `no`
means Norwegian, not false, and `1e-4` is a number. PyYAML's constructors are not used, since
tags, aliases and extreme numbers can take unbounded time and raise any exception.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import yaml

#: Maximum bytes read of a README.md to find its front matter.
READ_BYTES = 256 * 1024
#: Characters; cards in use are far shorter.
_MAX_LENGTH = 64 * 1024
_MAX_DEPTH = 16
_BLOCK = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
#: Characters that YAML forbids even in quoted text.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: Exceptions that PyYAML raises on hostile input.
_PARSER_ERRORS = (
    *(yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError),
    RecursionError,
)

_Scalar = str | int | float | bool | None
#: Tried in this order; anything else is text, as are integers of more than 18 digits.
_TYPES: list[tuple[re.Pattern[str], Callable[[str], _Scalar]]] = [
    (re.compile(r"~|null|Null|NULL|"), lambda text: None),
    (re.compile(r"true|True|TRUE"), lambda text: True),
    (re.compile(r"false|False|FALSE"), lambda text: False),
    (re.compile(r"[-+]?[0-9]{1,18}", re.ASCII), int),
    (re.compile(r"0o[0-7]{1,20}"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]{1,15}"), lambda text: int(text[2:], 16)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?"), lambda text: _float(text)),
    (re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+"), lambda text: _float(text)),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), lambda text: None),
]


class FrontMatter(NamedTuple):
    """The block's values, the text after it, and the error if the block was rejected."""

    values: dict[str, Any]
    body: str
    problem: str = ""


class _Unreadable(Exception):
    """The block is rejected, with the reason and the line."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(f"line {line}: {reason}")


def split(text: str) -> FrontMatter:
    """Splits a text into front matter and body; never raises. A rejected block sets `problem`."""
    found = _BLOCK.match(text)
    if found is None:
        return FrontMatter({}, text)
    body = text[found.end() :]
    try:
        return FrontMatter(_values(found[1]), body)
    except _Unreadable as error:
        return FrontMatter({}, body, str(error))
    except _PARSER_ERRORS as error:
        return FrontMatter({}, body, _description(error))


def _values(block: str) -> dict[str, Any]:
    if len(block) > _MAX_LENGTH:
        raise _Unreadable(f"it is longer than {_MAX_LENGTH // 1024} KiB", 2)
    if bad := _FORBIDDEN.search(block):
        line = block.count("\n", 0, bad.start()) + 2
        raise _Unreadable(f"YAML does not allow the character U+{ord(bad[0]):04X}", line)
    events = _events(block)
    first = next(events, None)
    if first is None:
        return {}
    values = _node(first, events, _MAX_DEPTH)
    if (second := next(events, None)) is not None:
        raise _at(second, "it contains more than one document")
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise _at(first, "write names and values, such as `license: mit`")
    return values


def _events(block: str) -> Iterator[Any]:
    """Yields the parser's node events lazily, so that parsing stops at the first hostile one."""
    for event in yaml.parse(block, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise _at(event, f"aliases are not supported (*{event.anchor})")
        if isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
            yield event


def _node(event: Any, events: Iterator[Any], depth: int) -> Any:
    if event.tag not in (None, "!"):  # "!" marks text that has no type
        raise _at(event, f"tags are not supported ({event.tag})")
    if isinstance(event, yaml.ScalarEvent):
        is_plain = event.style in (None, "") and event.tag is None
        return _typed(event.value) if is_plain else _storable(event.value)
    if not depth:
        raise _at(event, f"it is nested deeper than {_MAX_DEPTH} levels")
    if isinstance(event, yaml.SequenceStartEvent):
        return [_node(item, events, depth - 1) for item in _until_end(events)]
    return _mapping(events, depth)


def _mapping(events: Iterator[Any], depth: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for event in _until_end(events):
        if not isinstance(event, yaml.ScalarEvent) or event.tag not in (None, "!"):
            raise _at(event, "names must be plain text")
        name = _storable(event.value)
        if name == "<<" and event.style in (None, ""):
            raise _at(event, "merge keys are not supported (<<)")
        if name in values:
            raise _at(event, f"{_excerpt(name)} occurs twice")
        values[name] = _node(next(events), events, depth - 1)
    return values


def _until_end(events: Iterator[Any]) -> Iterator[Any]:
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            return
        yield event


def _typed(text: str) -> _Scalar:
    for pattern, convert in _TYPES:
        if pattern.fullmatch(text):
            return convert(text)
    return _storable(text)


def _float(text: str) -> float | None:
    """The number, or None, as on the Hub, if JSON cannot represent it."""
    number = float(text)
    return number if math.isfinite(number) else None


def _storable(text: str) -> str:
    """Replaces NUL and lone surrogates, which escapes can produce and PostgreSQL rejects."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _at(event: Any, reason: str) -> _Unreadable:
    return _Unreadable(_excerpt(reason, 120), event.start_mark.line + 2)


def _description(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = _excerpt(str(getattr(error, "problem", "") or type(error).__name__), 120)
    return f"line {mark.line + 2}: {reason}" if mark else reason


def _excerpt(text: str, limit: int = 40) -> str:
    """Shortens untrusted text and makes it printable for one line of a message."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return shown if len(shown) <= limit else f"{shown[:limit]}…"
