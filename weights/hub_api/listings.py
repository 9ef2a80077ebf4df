"""The files and folders of a revision, as git would name them.

A revision never changes, so its listing is made once a process and kept; what may change
(who may see it, what a branch points at) is asked at each request.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from weights.publishing.models import File, Revision

_FILE_MODE, _FOLDER_MODE = b"100644", b"40000"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder. `sha256` is set on files that are stored as LFS; sizes are bytes."""

    path: str
    oid: str
    size: int = 0
    sha256: str = ""
    is_folder: bool = False

    @property
    def pointer_size(self) -> int:
        """Bytes of the git-lfs pointer that stands for this file in git."""
        return len(
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\n"
            f"size {self.size}\n"
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """Every entry in path order, and the same by folder (`""` is the top)."""

    entries: tuple[Entry, ...]
    by_folder: dict[str, tuple[Entry, ...]]
    by_path: dict[str, Entry]

    def files(self) -> list[Entry]:
        return [entry for entry in self.entries if not entry.is_folder]

    def below(self, folder: str, *, recursive: bool) -> tuple[Entry, ...] | None:
        """What `folder` holds, at once or all the way down; None when there is no such folder."""
        if folder not in self.by_folder:
            return None
        if not recursive:
            return self.by_folder[folder]
        start = f"{folder}/" if folder else ""
        return tuple(entry for entry in self.entries if entry.path.startswith(start))


def listing(revision: Revision) -> Listing:
    """The listing of a visible revision: one query at most."""
    return _listing(revision.pk, revision.sha)


def paths_of(revisions: Collection[Revision]) -> dict[int, list[str]]:
    """The paths of several revisions' files by the revision's id: one query."""
    found: dict[int, list[str]] = {one.pk: [] for one in revisions}
    rows = File.objects.filter(revision__in=list(found)).order_by("revision_id", "path")
    for revision_id, path in rows.values_list("revision_id", "path"):
        found[revision_id].append(path)
    return found


def history(revision: Revision) -> list[Revision]:
    """The revision and its visible ancestors, newest first, with authors: one query."""
    line = Revision.objects.filter(checkpoint_id=revision.checkpoint_id).select_related("author")
    by_id = {one.pk: one for one in line}
    found: list[Revision] = []
    parent_id: int | None = revision.pk
    while parent_id in by_id:
        one = by_id.pop(parent_id)
        if one.state == Revision.State.VISIBLE:
            found.append(one)
        parent_id = one.parent_id
    return found


def last_changes(revision: Revision) -> dict[str, Revision]:
    """By path, folders too, the revision of this line that changed it last: two queries."""
    line = history(revision)[::-1]
    held: dict[int, dict[str, str]] = {one.pk: {} for one in line}
    rows = File.objects.filter(revision__in=list(held)).values_list(
        "revision_id", "path", "git_oid"
    )
    for revision_id, path, oid in rows:
        held[revision_id][path] = oid
    last: dict[str, Revision] = {}
    before: dict[str, str] = {}
    for one in line:
        now = held[one.pk]
        for path in {path for path, _ in before.items() ^ now.items()}:
            last |= dict.fromkeys([path, *_above(path)], one)
        before = now
    return last


# The id alone names a state of the files; the key is what they are looked up by.
@lru_cache(maxsize=32)
def _listing(revision_id: int, sha: str) -> Listing:
    rows = File.objects.filter(revision_id=revision_id).values_list(
        "path", "git_oid", "blob__size", "lfs", "blob__sha256"
    )
    files = [Entry(path, oid, size, sha256 if lfs else "") for path, oid, size, lfs, sha256 in rows]
    folders = _folders(files)
    entries = sorted([*files, *folders.values()], key=lambda entry: entry.path)
    by_folder: dict[str, list[Entry]] = {"": [], **{path: [] for path in folders}}
    for entry in entries:
        by_folder[entry.path.rpartition("/")[0]].append(entry)
    return Listing(
        tuple(entries),
        {folder: tuple(held) for folder, held in by_folder.items()},
        {entry.path: entry for entry in entries},
    )


def _folders(files: list[Entry]) -> dict[str, Entry]:
    """Each folder above a file, with the id of its git tree; deepest first, as ids need."""
    held: defaultdict[str, list[Entry]] = defaultdict(list)
    for file in files:
        held[file.path.rpartition("/")[0]].append(file)
    paths = {above for file in files for above in _above(file.path)}
    folders = {}
    for path in sorted(paths, key=lambda path: path.count("/"), reverse=True):
        folders[path] = Entry(path, _tree_id(held[path]), is_folder=True)
        held[path.rpartition("/")[0]].append(folders[path])
    return folders


def _above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _tree_id(entries: list[Entry]) -> str:
    """The SHA-1 that git gives a tree object with these entries."""
    lines = sorted(((_tree_key(entry), entry) for entry in entries), key=lambda line: line[0])
    body = b"".join(
        (_FOLDER_MODE if entry.is_folder else _FILE_MODE)
        + b" "
        + key.removesuffix(b"/")
        + b"\0"
        + bytes.fromhex(entry.oid)
        for key, entry in lines
    )
    return hashlib.sha1(b"tree %d\0" % len(body) + body, usedforsecurity=False).hexdigest()


def _tree_key(entry: Entry) -> bytes:
    """git sorts a folder as if its name ended in a slash."""
    name = entry.path.rpartition("/")[2].encode()
    return name + b"/" if entry.is_folder else name
