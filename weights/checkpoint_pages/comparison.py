"""Compares the files of two revisions by path and content."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import unified_diff
from enum import StrEnum

from weights.delivery.previews import PREVIEW_BYTES
from weights.publishing.models import File, Revision

#: Longest text that is compared, in lines: the time grows with their square.
MAX_LINES = 2000


class Kind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


@dataclass(frozen=True)
class Change:
    """A path that differs. `before` and `after` have identical bytes if the file was moved."""

    kind: Kind
    before: File | None
    after: File | None

    @property
    def path(self) -> str:
        file = self.after or self.before
        return file.path if file else ""

    @property
    def has_lines(self) -> bool:
        """True if both files are small texts."""
        files = [file for file in (self.before, self.after) if file is not None]
        is_small = all(file.size <= PREVIEW_BYTES and not file.lfs for file in files)
        return self.kind is Kind.CHANGED and is_small


@dataclass(frozen=True)
class Comparison:
    """The differences in path order, and the files and bytes that are identical."""

    changes: list[Change]
    identical: int
    identical_bytes: int
    #: Bytes of content that only the newer revision has.
    new_bytes: int

    def counts(self) -> Counter[Kind]:
        return Counter(change.kind for change in self.changes)


def compare(before: Revision, after: Revision) -> Comparison:
    """Returns the differences between two revisions of a checkpoint, in two queries."""
    old, new = _files(before), _files(after)
    both = old.keys() & new.keys()
    same = [new[path] for path in both if old[path].blob_id == new[path].blob_id]
    changed = [
        Change(Kind.CHANGED, old[path], new[path])
        for path in both
        if old[path].blob_id != new[path].blob_id
    ]
    removed = {path: old[path] for path in sorted(old.keys() - new.keys())}
    changes = changed + _arrivals((new[path] for path in sorted(new.keys() - old.keys())), removed)
    changes += [Change(Kind.REMOVED, file, None) for file in removed.values()]
    contents = {file.blob_id for file in old.values()}
    fresh = {file.blob_id: file.size for file in new.values() if file.blob_id not in contents}
    return Comparison(
        sorted(changes, key=lambda change: change.path),
        len(same),
        sum(file.size for file in same),
        sum(fresh.values()),
    )


def _files(revision: Revision) -> dict[str, File]:
    files = File.objects.filter(revision=revision).select_related("blob")
    return {file.path: file for file in files}


def _arrivals(new: Iterable[File], removed: dict[str, File]) -> list[Change]:
    """Returns added and moved files; removes the old paths of moved ones from `removed`."""
    by_content = {file.blob_id: path for path, file in removed.items()}
    changes = []
    for file in new:
        former = removed.pop(by_content.pop(file.blob_id, ""), None)
        changes.append(Change(Kind.MOVED if former else Kind.ADDED, former, file))
    return changes


@dataclass(frozen=True)
class Line:
    """A line of a unified diff; `kind` is `same`, `new`, `gone` or `gap`."""

    kind: str
    text: str


_KINDS = {"+": "new", "-": "gone", "@": "gap"}


def diff_lines(before: str, after: str) -> list[Line] | None:
    """Returns the changed lines with three lines of context; None above MAX_LINES lines."""
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > MAX_LINES:
        return None
    lines = list(unified_diff(old, new, lineterm=""))[2:]
    return [
        Line(_KINDS.get(line[0], "same"), line if line[0] == "@" else line[1:]) for line in lines
    ]
