"""What a lint says, and what it is told of the files."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

ERROR, WARNING = "error", "warning"
#: Paths kept with a finding; its sentence says how many there are.
PATHS_KEPT = 20


class Listed(NamedTuple):
    """A file of the manifest; size in bytes, `sha256` empty while nobody has read it."""

    path: str
    size: int
    sha256: str = ""


class Finding(NamedTuple):
    """One thing that looks wrong; `code` is stable, `paths` may be cut to the first ones."""

    code: str
    severity: str
    sentence: str
    paths: tuple[str, ...]


#: Gives the first so many bytes of the file with this path.
Reader = Callable[[str, int], bytes]


def finding(code: str, severity: str, sentence: str, paths: Iterable[str]) -> Finding:
    return Finding(code, severity, sentence, tuple(paths)[:PATHS_KEPT])


def named(paths: Iterable[str], count: int) -> str:
    """The first of some paths, and how many more there are, as part of a sentence."""
    first = ", ".join(list(paths)[:3])
    return f"{first} and {count - 3} more" if count > 3 else first
