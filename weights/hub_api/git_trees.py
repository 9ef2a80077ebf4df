"""Listings of a revision's files and folders, with the object ids that git would give them.

A revision never changes, so each process caches listings. Access and the targets of branches can
change, so they are checked at every request.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from weights.manifests.listing import lfs_pointer
from weights.publishing.history import history
from weights.publishing.models import File, Revision

_FILE_MODE, _FOLDER_MODE = b"100644", b"40000"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder. `sha256` is set only on files that git keeps in LFS; sizes are bytes."""

    path: str
    oid: str
    size: int = 0
    sha256: str = ""
    is_folder: bool = False

    @property
    def pointer_size(self) -> int:
        """Bytes of the git-lfs pointer that git stores in place of this file."""
        return len(lfs_pointer(self.sha256, self.size))


@dataclass(frozen=True, slots=True)
class Listing:
    """All entries in path order, by folder (`""` is the root) and by path."""

    entries: tuple[Entry, ...]
    by_folder: dict[str, tuple[Entry, ...]]
    by_path: dict[str, Entry]

    def files(self) -> list[Entry]:
        return [entry for entry in self.entries if not entry.is_folder]

    def children(self, folder: str, *, recursive: bool) -> tuple[Entry, ...] | None:
        """The entries in `folder`, with all descendants if `recursive`; None if it is absent."""
        if folder not in self.by_folder:
            return None
        if not recursive:
            return self.by_folder[folder]
        prefix = f"{folder}/" if folder else ""
        return tuple(entry for entry in self.entries if entry.path.startswith(prefix))


def listing(revision: Revision) -> Listing:
    """The listing of a visible revision: at most one query."""
    return _listing(revision.pk, revision.sha)


def paths_of(revisions: Collection[Revision]) -> dict[int, list[str]]:
    """The sorted paths of several revisions' files by revision id: one query."""
    paths: dict[int, list[str]] = {revision.pk: [] for revision in revisions}
    rows = File.objects.filter(revision__in=list(paths)).order_by("revision_id", "path")
    for revision_id, path in rows.values_list("revision_id", "path"):
        paths[revision_id].append(path)
    return paths


def visible_history(revision: Revision) -> list[Revision]:
    """The revision and its ancestors, newest first, with authors: one query.

    Leaves out withdrawn revisions and, unless the revision is itself a draft, drafts.
    """
    return [one for one in history(revision) if one.state != Revision.State.WITHDRAWN]


def last_changes(revision: Revision) -> dict[str, Revision]:
    """The last revision that changed each file or folder, by path: two queries."""
    oldest_first = visible_history(revision)[::-1]
    oids: dict[int, dict[str, str]] = {one.pk: {} for one in oldest_first}
    rows = File.objects.filter(revision__in=list(oids))
    for revision_id, path, oid in rows.values_list("revision_id", "path", "git_oid"):
        oids[revision_id][path] = oid
    last: dict[str, Revision] = {}
    before: dict[str, str] = {}
    for one in oldest_first:
        after = oids[one.pk]
        for path in {path for path, _ in before.items() ^ after.items()}:
            last |= dict.fromkeys([path, *_parent_folders(path)], one)
        before = after
    return last


# Deleting a revision could hand its id to another, so the sha belongs to the key.
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
        {folder: tuple(children) for folder, children in by_folder.items()},
        {entry.path: entry for entry in entries},
    )


def _folders(files: list[Entry]) -> dict[str, Entry]:
    """Each folder with the id of its git tree, deepest first: an id covers the folders below."""
    children: defaultdict[str, list[Entry]] = defaultdict(list)
    for file in files:
        children[file.path.rpartition("/")[0]].append(file)
    paths = {folder for file in files for folder in _parent_folders(file.path)}
    folders = {}
    for path in sorted(paths, key=lambda path: path.count("/"), reverse=True):
        folders[path] = Entry(path, _tree_id(children[path]), is_folder=True)
        children[path.rpartition("/")[0]].append(folders[path])
    return folders


def _parent_folders(path: str) -> list[str]:
    segments = path.split("/")[:-1]
    return ["/".join(segments[: count + 1]) for count in range(len(segments))]


def _tree_id(entries: list[Entry]) -> str:
    """The SHA-1 that git gives a tree object with these entries."""
    lines = sorted(((_sort_key(entry), entry) for entry in entries), key=lambda line: line[0])
    body = b"".join(
        (_FOLDER_MODE if entry.is_folder else _FILE_MODE)
        + b" "
        + key.removesuffix(b"/")
        + b"\0"
        + bytes.fromhex(entry.oid)
        for key, entry in lines
    )
    return hashlib.sha1(b"tree %d\0" % len(body) + body, usedforsecurity=False).hexdigest()


def _sort_key(entry: Entry) -> bytes:
    """The entry's name; git sorts a folder as if its name ended in a slash."""
    name = entry.path.rpartition("/")[2].encode()
    return name + b"/" if entry.is_folder else name
