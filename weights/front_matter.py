"""The YAML block on top of a README.md: plain Python, no database."""

import math
import re
from datetime import date
from typing import Any

import yaml

# Enough for any card seen; a longer block is somebody's data, not a description.
_MOST = 64 * 1024
_DEPTH = 16
_BLOCK = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)


def split(text: str) -> tuple[dict[str, Any], str]:
    """The block as JSON values, and the text below it; an unusable block reads as empty."""
    found = _BLOCK.match(text)
    if found is None:
        return {}, text
    return _read(found[1]), text[found.end() :]


def _read(block: str) -> dict[str, Any]:
    if len(block) > _MOST:
        return {}
    try:
        values = yaml.safe_load(block) if _is_tame(block) else {}
    except (yaml.YAMLError, ValueError):
        return {}
    plain = _plain(values, _DEPTH)
    return plain if isinstance(plain, dict) else {}


def _is_tame(block: str) -> bool:
    """Without aliases, which are short to read and endless to write out, and not too deep.

    The events are read one by one, so that a hostile block ends at its first excess.
    """
    depth = 0
    for event in yaml.parse(block):
        if isinstance(event, yaml.AliasEvent):
            return False
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            return False
    return True


def _plain(value: Any, depth: int) -> Any:
    """The same with JSON's types only; what lies deeper than `depth` is left out."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date):
        return value.isoformat()
    if depth and isinstance(value, dict):
        return {str(key): _plain(inner, depth - 1) for key, inner in value.items()}
    if depth and isinstance(value, list | tuple):
        return [_plain(inner, depth - 1) for inner in value]
    return None
