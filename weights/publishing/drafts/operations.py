"""The operations of a commit, and their effect on a revision's list of files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from weights.catalogue import names
from weights.catalogue.models import Checkpoint
from weights.errors import CommitRefused, EntryUnknown, UploadMissing
from weights.manifests.listing import LFS_ABOVE
from weights.publishing.drafts import queries
from weights.publishing.models import File, Revision
from weights.publishing.recording import NewFile, new_file

#: Limits: operations of one commit, and files of one revision.
MOST_OPERATIONS, MOST_FILES = 20_000, 100_000


@dataclass(frozen=True)
class AddFile:
    """A small file whose bytes are in the commit."""

    path: str
    content: bytes


@dataclass(frozen=True)
class AddObject:
    """An uploaded object (`weights.uploads.presence`); size in bytes, None if not stated."""

    path: str
    sha256: str
    size: int | None


@dataclass(frozen=True)
class CopyFile:
    """A copy of a file of the same checkpoint; an empty `source_revision` means the head."""

    path: str
    source_path: str
    source_revision: str = ""


@dataclass(frozen=True)
class DeleteFile:
    path: str


@dataclass(frozen=True)
class DeleteFolder:
    path: str


Operation = AddFile | AddObject | CopyFile | DeleteFile | DeleteFolder


def check(operations: Sequence[Operation]) -> None:
    """Raise InvalidName or CommitRefused for invalid paths, and for too many or too large files."""
    if not operations:
        raise CommitRefused("the commit has no operations; add, copy or delete a file")
    if len(operations) > MOST_OPERATIONS:
        raise CommitRefused(
            f"a commit has at most {MOST_OPERATIONS} operations, not {len(operations)};"
            " make several commits"
        )
    written: set[str] = set()
    for one in operations:
        check_one(one)
        if isinstance(one, AddFile | AddObject | CopyFile):
            if one.path in written:
                raise CommitRefused(f"the commit writes {one.path} twice; leave one of them out")
            written.add(one.path)


def check_one(one: Operation) -> None:
    """Raise InvalidName for an invalid path, and CommitRefused for a file that is too large."""
    if isinstance(one, DeleteFile | DeleteFolder):
        names.check_stored_path(one.path.rstrip("/") if isinstance(one, DeleteFolder) else one.path)
    else:
        names.check_path(one.path)
    if isinstance(one, AddFile) and len(one.content) > LFS_ABOVE:
        raise CommitRefused(
            f"{one.path} has {len(one.content)} bytes; upload files above {LFS_ABOVE} bytes"
            " as LFS objects"
        )


def files_of(revision: Revision | None) -> dict[str, NewFile]:
    """The files of a revision by path: one query."""
    if revision is None:
        return {}
    rows = File.objects.filter(revision=revision).values_list(
        "path", "blob__size", "blob__sha256", "git_oid", "lfs", "md5"
    )
    return {row[0]: NewFile(*row) for row in rows}


def apply(
    checkpoint: Checkpoint,
    before: Mapping[str, NewFile],
    operations: Iterable[Operation],
    added: Mapping[str, NewFile],
    sizes: Mapping[str, int],
) -> dict[str, NewFile]:
    """Apply the operations in order and return the resulting files. Copies read from `before`.

    `added` holds the added files by path, `sizes` the bytes of uploaded objects by SHA-256.
    """
    files = dict(before)
    sources: dict[str, Mapping[str, NewFile]] = {"": before}
    for one in operations:
        match one:
            case AddFile():
                files[one.path] = added[one.path]
            case AddObject():
                files[one.path] = _object(one, sizes)
            case CopyFile():
                files[one.path] = _copied(checkpoint, one, sources)
            case DeleteFile():
                if files.pop(one.path, None) is None:
                    raise EntryUnknown(f"A file with this name doesn't exist: {one.path}")
            case DeleteFolder():
                _delete_folder(files, one.path)
    _check_result(files)
    return files


def _object(one: AddObject, sizes: Mapping[str, int]) -> NewFile:
    size = sizes.get(one.sha256)
    if size is None:
        raise UploadMissing(
            f"{one.path}: the object {one.sha256} was not uploaded; upload it first"
        )
    if one.size not in {None, size}:
        raise CommitRefused(f"{one.path}: the object has {size} bytes, not {one.size}")
    return new_file(one.path, size, one.sha256, lfs=True)


def _copied(
    checkpoint: Checkpoint, one: CopyFile, sources: dict[str, Mapping[str, NewFile]]
) -> NewFile:
    if one.source_revision not in sources:
        revision = queries.find_revision(checkpoint, one.source_revision)
        if revision is None:
            raise CommitRefused(f"{checkpoint} has no revision {one.source_revision} to copy from")
        sources[one.source_revision] = files_of(revision)
    source = sources[one.source_revision].get(one.source_path)
    if source is None:
        raise CommitRefused(f"there is no file {one.source_path} to copy")
    return source._replace(path=one.path, md5="")


def _delete_folder(files: dict[str, NewFile], path: str) -> None:
    prefix = path.rstrip("/") + "/"
    inside = [name for name in files if name.startswith(prefix)]
    if not inside:
        raise EntryUnknown(f"A file with this name doesn't exist: {prefix}")
    for name in inside:
        del files[name]


def _check_result(files: Mapping[str, NewFile]) -> None:
    """Raise CommitRefused for no files, too many files, and a path that is both file and folder."""
    if not files:
        raise CommitRefused("the commit deletes every file; a revision has at least one")
    if len(files) > MOST_FILES:
        raise CommitRefused(f"a revision has at most {MOST_FILES} files, not {len(files)}")
    for path in files:
        folder = path.rpartition("/")[0]
        while folder:
            if folder in files:
                raise CommitRefused(f"{folder} cannot be a file and the folder of {path}")
            folder = folder.rpartition("/")[0]
