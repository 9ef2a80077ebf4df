"""A revision on another hub: its commit and its files."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from weights.catalogue import names
from weights.errors import SourceUnusable
from weights.publishing.mirror.session import HubSession

#: Maximum files and folders of a revision.
MOST_ENTRIES = 100_000
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class SourceFile(NamedTuple):
    """A file as the hub lists it: size in bytes, `sha256` of an LFS file, else `git_oid`."""

    path: str
    size: int
    sha256: str
    git_oid: str


class SourceRevision(NamedTuple):
    """A commit of a repository on another hub, with its files in path order."""

    hub: str
    repo_id: str
    commit: str
    files: tuple[SourceFile, ...]

    @property
    def total_bytes(self) -> int:
        return sum(file.size for file in self.files)

    def url(self, file: SourceFile) -> str:
        return f"{self.hub}/{self.repo_id}/resolve/{self.commit}/{quote(file.path)}"


def find_revision(session: HubSession, repo_id: str, revision: str) -> SourceRevision:
    """Resolve a revision name; raises SourceUnusable, or InvalidName for a file's path."""
    api = f"{session.hub}/api/models/{repo_id}"
    content, _ = session.json(f"{api}/revision/{quote(revision, safe='')}?expand=sha")
    commit = content.get("sha") if isinstance(content, dict) else None
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise SourceUnusable(f"{session.hub} states no commit of {repo_id}; is it a hub's URL?")
    if _COMMIT.fullmatch(revision) and revision != commit:
        raise SourceUnusable(f"{session.hub} answers commit {commit} for {revision}")
    files = _list(session, f"{api}/tree/{commit}?recursive=true")
    if not files:
        raise SourceUnusable(f"{repo_id} has no files at {commit}; choose another --revision")
    return SourceRevision(session.hub, repo_id, commit, tuple(sorted(files.values())))


def _list(session: HubSession, url: str) -> dict[str, SourceFile]:
    files: dict[str, SourceFile] = {}
    count = 0
    while url:
        page, following = session.json(url)
        if not isinstance(page, list) or (following and not page):
            raise SourceUnusable(f"{session.hub} sends a listing that is not in the Hub's format")
        count += len(page)
        if count > MOST_ENTRIES:
            raise SourceUnusable(
                f"the source lists more than {MOST_ENTRIES} files and folders; mirror a revision"
                " with fewer"
            )
        for entry in page:
            if not isinstance(entry, dict) or entry.get("type") not in {"file", "directory"}:
                raise SourceUnusable("the source lists an entry that is neither file nor folder")
            if entry["type"] == "file":
                _add(_parsed(entry), files)
        url = following
    for path in files:
        if any(folder in files for folder in _parent_folders(path)):
            raise SourceUnusable(f"the source lists a folder of {path!r} as a file too")
    return files


def _add(file: SourceFile, files: dict[str, SourceFile]) -> None:
    if file.path in files:
        raise SourceUnusable(f"the source lists {file.path!r} twice")
    files[file.path] = file


def _parent_folders(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _parsed(entry: dict[str, Any]) -> SourceFile:
    """The entry of a file; raises SourceUnusable or InvalidName for a malformed one."""
    path, lfs = entry.get("path"), entry.get("lfs") or {}
    if not isinstance(path, str) or not isinstance(lfs, dict):
        raise SourceUnusable("the source lists a file without a path")
    names.check_path(path)
    size, digest = entry.get("size"), lfs.get("oid") if lfs else entry.get("oid")
    if type(size) is not int or size < 0 or (lfs and lfs.get("size") != size):
        raise SourceUnusable(f"the source lists {path!r} without one size in bytes")
    if not isinstance(digest, str) or not (_SHA256 if lfs else _COMMIT).fullmatch(digest):
        raise SourceUnusable(f"the source lists {path!r} without a SHA-256 or git blob id")
    return SourceFile(path, size, digest if lfs else "", "" if lfs else digest)
