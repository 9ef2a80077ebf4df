"""Reports of children that keep ending, from the supervisor to the health page.

The file has a fixed size and is overwritten in place, which also works on a full disk. That may
be why the children end.
"""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

#: Bytes of the file: one block of a file system.
SIZE = 4096


@dataclass(frozen=True)
class CrashReport:
    """A child that ends soon after each start; `since` in seconds since 1970."""

    name: str
    false_starts: int
    since: float
    #: How it last ended, such as `exit code 1`.
    ended_with: str


def write(data_dir: Path, reports: Iterable[CrashReport]) -> None:
    """Replace the reports; if the file cannot be written, only the supervisor's log has them."""
    text = json.dumps([asdict(report) for report in reports])
    with suppress(OSError):
        descriptor = os.open(_path(data_dir), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, text.encode().ljust(SIZE)[:SIZE], 0)
        finally:
            os.close(descriptor)


def read(data_dir: Path) -> list[CrashReport]:
    """The current reports; empty while every child runs."""
    try:
        reports = json.loads(_path(data_dir).read_text() or "[]")
        return [CrashReport(**report) for report in reports]
    except (OSError, ValueError, TypeError):  # not written yet, or being written now
        return []


def _path(data_dir: Path) -> Path:
    return data_dir / "run" / "troubles.json"
