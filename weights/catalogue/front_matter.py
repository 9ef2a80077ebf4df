"""YAML front matter of a README.md, as JSON values: plain Python, no database.

Only mappings, lists and plain values are read, typed by the core schema of YAML 1.2, as the Hub
does: `no` is Norwegian and not false, `1e-4` is a number. PyYAML's constructors are not used:
what they make of a tag, an alias or an odd number costs without bound and raises anything.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import yaml

#: Bytes of a README.md that are read for its front matter.
READ_BYTES = 256 * 1024
# Enough for any card seen; a longer block is somebody's data, not a description.
_LONGEST = 64 * 1024
_DEPTH = 16
_BLOCK = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
#: What YAML allows in no text, not even quoted.
_NOT_ALLOWED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: What PyYAML is known to raise at a stranger's text, beside its own errors.
_RAISED = (
    *(yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError),
    RecursionError,
)

_Scalar = str | int | float | bool | None
#: In this order; what fits none of them is a text. JSON and JavaScript have no longer integer.
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
    """The values of the block, the text below it, and why the block could not be read, if so."""

    values: dict[str, Any]
    body: str
    problem: str = ""


class _Unreadable(Exception):
    """The block is not front matter that this portal reads."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(f"line {line}: {reason}")


def split(text: str) -> FrontMatter:
    """Read the front matter. A block that cannot be read has no values, and its `problem` set."""
    found = _BLOCK.match(text)
    if found is None:
        return FrontMatter({}, text)
    body = text[found.end() :]
    try:
        return FrontMatter(_values(found[1]), body)
    except _Unreadable as error:
        return FrontMatter({}, body, str(error))
    except _RAISED as error:
        return FrontMatter({}, body, _described(error))


def _values(block: str) -> dict[str, Any]:
    if len(block) > _LONGEST:
        raise _Unreadable(f"it is longer than {_LONGEST // 1024} KiB", 2)
    if bad := _NOT_ALLOWED.search(block):
        line = block.count("\n", 0, bad.start()) + 2
        raise _Unreadable(f"YAML allows no character U+{ord(bad[0]):04X}", line)
    events = _events(block)
    first = next(events, None)
    if first is None:
        return {}
    values = _node(first, events, _DEPTH)
    if (second := next(events, None)) is not None:
        raise _at(second, "it holds more than one document")
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise _at(first, "write names and values, such as `license: mit`")
    return values


def _events(block: str) -> Iterator[Any]:
    """The parser's events of nodes. They are read one by one: a hostile block ends at its first."""
    for event in yaml.parse(block, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise _at(event, f"aliases are not read (*{event.anchor})")
        if isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
            yield event


def _node(event: Any, events: Iterator[Any], depth: int) -> Any:
    if event.tag not in (None, "!"):  # "!" marks a text as one that is not typed
        raise _at(event, f"tags are not read ({event.tag})")
    if isinstance(event, yaml.ScalarEvent):
        is_plain = event.style in (None, "") and event.tag is None
        return _typed(event.value) if is_plain else _storable(event.value)
    if not depth:
        raise _at(event, f"it is nested deeper than {_DEPTH} levels")
    if isinstance(event, yaml.SequenceStartEvent):
        return [_node(one, events, depth - 1) for one in _until_end(events)]
    return _mapping(events, depth)


def _mapping(events: Iterator[Any], depth: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for event in _until_end(events):
        if not isinstance(event, yaml.ScalarEvent) or event.tag not in (None, "!"):
            raise _at(event, "a name is a plain text")
        name = _storable(event.value)
        if name == "<<" and event.style in (None, ""):
            raise _at(event, "merge keys are not read (<<)")
        if name in values:
            raise _at(event, f"{_excerpt(name)} stands there twice")
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
    """None for what JSON cannot hold, as the Hub answers it."""
    number = float(text)
    return number if math.isfinite(number) else None


def _storable(text: str) -> str:
    """Without what no database holds and escapes may still make: NUL and halves of characters."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _at(event: Any, reason: str) -> _Unreadable:
    return _Unreadable(_excerpt(reason, 120), event.start_mark.line + 2)


def _described(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = _excerpt(str(getattr(error, "problem", "") or type(error).__name__), 120)
    return f"line {mark.line + 2}: {reason}" if mark else reason


def _excerpt(text: str, most: int = 40) -> str:
    """A stranger's words for one line of a message."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return shown if len(shown) <= most else f"{shown[:most]}…"
