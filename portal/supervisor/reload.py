"""`make dev`: detect changed source files, so that the processes restart."""

from collections.abc import Iterator
from pathlib import Path

#: Folders that the processes import or read.
FOLDERS = ("accounts", "portal", "static", "templates", "weights")
SUFFIXES = frozenset({".css", ".html", ".js", ".json", ".md", ".py", ".svg", ".txt"})


class SourceWatcher:
    """The source files below `root`, by path and modification time."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._times = dict(self._modification_times())

    def changed(self) -> list[str]:
        """Paths that were written, added or removed since the last call, relative to the root."""
        before, self._times = self._times, dict(self._modification_times())
        return sorted(
            path
            for path in before.keys() | self._times.keys()
            if before.get(path) != self._times.get(path)
        )

    def _modification_times(self) -> Iterator[tuple[str, int]]:
        for folder in FOLDERS:
            for path in (self._root / folder).rglob("*.*"):
                if path.suffix in SUFFIXES:
                    try:
                        yield str(path.relative_to(self._root)), path.stat().st_mtime_ns
                    except FileNotFoundError:  # an editor renames its temporary files
                        continue
