"""What the child process does for one file."""

from typing import Any

from weights.inspection import kinds
from weights.inspection.formats.allowed import allowed
from weights.inspection.formats.source import Blocks, Source


def inspect(source: Source, family: str, extra: list[str]) -> dict[str, Any]:
    """The verdict as plain values; `extra` imports are allowed beside the standard ones."""
    return kinds.inspect(Blocks(source), family, allowed(extra)).as_json()
