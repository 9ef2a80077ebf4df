"""Input and output of the lint: listed files and findings."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

ERROR, WARNING = "error", "warning"
#: Maximum paths stored with a finding; its sentence gives their number.
MAX_PATHS = 20


class Listed(NamedTuple):
    """A file of the manifest; size in bytes, `sha256` empty before it is hashed."""

    path: str
    size: int
    sha256: str = ""


class Finding(NamedTuple):
    """A problem; `code` is stable, `severity` ERROR or WARNING, `paths` at most MAX_PATHS."""

    code: str
    severity: str
    sentence: str
    paths: tuple[str, ...]


#: Returns the first bytes of a file, given its path and their number.
Reader = Callable[[str, int], bytes]


def finding(code: str, severity: str, sentence: str, paths: Iterable[str]) -> Finding:
    return Finding(code, severity, sentence, tuple(paths)[:MAX_PATHS])


def named(paths: Iterable[str], count: int) -> str:
    """The first paths and the number of others, for a sentence."""
    first = ", ".join(list(paths)[:3])
    return f"{first} and {count - 3} more" if count > 3 else first
