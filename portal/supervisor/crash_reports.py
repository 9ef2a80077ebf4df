"""What the supervisor tells the health page of children that keep ending.

In a file of one size, written over in place: that works while the disk is full, which may be
what the trouble is.
"""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

#: Bytes: what any file system writes at one stroke.
SIZE = 4096


@dataclass(frozen=True)
class Trouble:
    """A child that ends as soon as it is started; `since` in seconds of the clock."""

    name: str
    false_starts: int
    since: float
    #: How it ended at last, in words.
    ended_with: str


class Notes:
    """The file below `run/` of one DATA_DIR; it is empty while every child runs."""

    def __init__(self, data_dir: Path) -> None:
        self.path = _path(data_dir)

    def write(self, troubles: Iterable[Trouble]) -> None:
        """Where even that cannot be written, the supervisor's own lines have to do."""
        text = json.dumps([asdict(trouble) for trouble in troubles])
        with suppress(OSError):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(descriptor, text.encode().ljust(SIZE)[:SIZE], 0)
            finally:
                os.close(descriptor)


def read(data_dir: Path) -> list[Trouble]:
    """The troubles of now; none where nothing was noted."""
    try:
        return [Trouble(**one) for one in json.loads(_path(data_dir).read_text() or "[]")]
    except (OSError, ValueError, TypeError):  # none yet, or being written at this instant
        return []


def _path(data_dir: Path) -> Path:
    return data_dir / "run" / "troubles.json"
