"""The patterns of a `.gitignore`, matched in bounded time.

`fnmatch` translates each segment of a pattern to a regular expression that never backtracks
beyond one star, and `**` is matched segment by segment. One expression for the whole pattern
would take exponential time for patterns such as `*a*a*a*a*b`.
"""

import fnmatch
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from accounts.errors import InvalidValue

#: Limits: characters of a `.gitignore`, its patterns, and segments of a path to match.
MAX_LENGTH, MAX_PATTERNS, MAX_SEGMENTS = 64 * 1024, 500, 64
_ESCAPED = re.compile(r"\\(.)")


class _Pattern(NamedTuple):
    segments: list[re.Pattern[str] | None]  # None stands for `**`
    negated: bool
    folders_only: bool


class IgnoreRules:
    """Whether a path is ignored by a `.gitignore` at the root (gitignore(5)).

    Raises InvalidValue for a file that is longer than MAX_LENGTH or has more than MAX_PATTERNS.
    """

    def __init__(self, content: str) -> None:
        if len(content) > MAX_LENGTH:
            raise InvalidValue(f"the .gitignore is longer than {MAX_LENGTH} characters")
        lines = [line for line in content.splitlines() if line.strip() and line[0] != "#"]
        if len(lines) > MAX_PATTERNS:
            raise InvalidValue(f"the .gitignore has more than {MAX_PATTERNS} patterns")
        self._patterns = [_parse(line) for line in lines]

    def ignores(self, path: str) -> bool:
        """True if the last pattern that matches the file or one of its folders excludes it.

        A file in an ignored folder cannot be included again.
        """
        segments = path.split("/")
        if len(segments) > MAX_SEGMENTS:
            raise InvalidValue(f"{path[:60]!r}… has more than {MAX_SEGMENTS} folders; use fewer")
        return any(
            self._excludes(segments[:length], is_folder=length < len(segments))
            for length in range(1, len(segments) + 1)
        )

    def _excludes(self, segments: list[str], *, is_folder: bool) -> bool:
        for pattern in reversed(self._patterns):
            if (is_folder or not pattern.folders_only) and _matches(pattern.segments, segments):
                return not pattern.negated
        return False


def _parse(line: str) -> _Pattern:
    text = line if line.endswith("\\ ") else line.rstrip(" ")
    negated = text.startswith("!")
    text = text.removeprefix("!")
    folders_only = text.endswith("/")
    text = text.rstrip("/")
    # A slash anywhere but at the end anchors the pattern to the root.
    parts = text.lstrip("/").split("/") if "/" in text else ["**", text]
    return _Pattern([_segment(part) for part in parts], negated, folders_only)


@lru_cache(maxsize=1024)
def _segment(glob: str) -> re.Pattern[str] | None:
    if glob == "**":
        return None
    plain = _ESCAPED.sub(_unescaped, glob.replace("[^", "[!"))
    return re.compile(fnmatch.translate(plain))


def _unescaped(found: re.Match[str]) -> str:
    return f"[{found[1]}]" if found[1] in "*?[" else found[1]


def _matches(pattern: Sequence[re.Pattern[str] | None], segments: list[str]) -> bool:
    """True if the pattern matches all segments; tracks the set of possible positions."""
    positions = {0}
    for number, one in enumerate(pattern, start=1):
        if not positions:
            return False
        if one is None:
            # At the end, `a/**` matches the contents of `a`, but not `a` itself.
            first = min(positions) + (number == len(pattern))
            positions = set(range(first, len(segments) + 1))
        else:
            positions = {
                at + 1 for at in positions if at < len(segments) and one.match(segments[at])
            }
    return len(segments) in positions
