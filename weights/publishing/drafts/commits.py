"""Commits by clients: each creates one revision with its complete list of files, or nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from django.db import transaction

from accounts.users.models import User
from accounts.web.sanitize import multiline
from weights.catalogue import front_matter, licences, names
from weights.catalogue.models import Checkpoint
from weights.errors import BranchMoved, CommitRefused, UnknownRevision
from weights.manifests import listing
from weights.publishing import lint_findings, recording
from weights.publishing.digests import Digester
from weights.publishing.drafts import operations as ops
from weights.publishing.drafts import owners, publication, queries
from weights.publishing.drafts.operations import (
    AddFile,
    AddObject,
    CopyFile,
    DeleteFile,
    DeleteFolder,
    Operation,
)
from weights.publishing.lint import Listed
from weights.publishing.models import Revision
from weights.publishing.queries import DEFAULT_BRANCH, is_branch, tagged_revision
from weights.publishing.recording import NewFile
from weights.storage import blob_storage
from weights.storage.models import Blob
from weights.uploads import presence
from weights.uploads import services as uploads

__all__ = ["AddFile", "AddObject", "CopyFile", "DeleteFile", "DeleteFolder", "Operation", "commit"]

#: Characters.
MOST_MESSAGE = 10_000
#: Maximum file contents, and their bytes in memory, that are stored at a time.
_BATCH, _BATCH_BYTES = 100, 8 * 1024 * 1024
#: Attempts of a commit without a parent, since another commit may move the branch first.
_TRIES = 3


class _Parent(NamedTuple):
    """The head of the branch (None if it has no commit) and the head's files by path."""

    revision: Revision | None
    files: Mapping[str, NewFile]


def commit(
    checkpoint: Checkpoint,
    branch: str,
    operations: Iterable[Operation],
    *,
    by: User,
    message: str,
    parent: str = "",
) -> Revision:
    """Commit to a branch; returns its new head, or the current one if nothing changes.

    Stores file contents as `operations` yields them, and waits up to 50 s until uploads are hashed.
    The commit is a draft, unless its tier publishes commits. Raises BranchMoved if `parent` is set
    and is not the branch's head, NotAllowed without the role, InvalidName, CommitRefused for
    operations that contradict each other or the files, UnknownRevision for a missing branch, the
    errors of `uploads.wait_for` and of the store. An interrupted commit does not change the branch.
    """
    owners.demand_owner(by, checkpoint)
    names.check_ref(branch)
    message = multiline(message).strip()
    if len(message) > MOST_MESSAGE:
        raise CommitRefused(f"a message has at most {MOST_MESSAGE} characters, not {len(message)}")
    _head(checkpoint, branch, parent)
    taken, added = _take_in(checkpoint, operations, by)
    for _ in range(_TRIES):
        head = _head(checkpoint, branch, parent)
        base = _Parent(head, ops.files_of(head))
        files = _files(checkpoint, base, taken, added, by)
        findings = _findings(files, base)
        revision = _record(
            checkpoint, branch, base, taken, added, by=by, message=message, findings=findings
        )
        if revision is not None:
            return revision
        if parent:
            break
    raise BranchMoved(f"{branch} of {checkpoint} has a newer commit; fetch it and commit again")


def _head(checkpoint: Checkpoint, branch: str, parent: str) -> Revision | None:
    head = queries.branch_head(checkpoint.pk, branch)
    if head is None and branch != DEFAULT_BRANCH and not is_branch(checkpoint.pk, branch):
        raise UnknownRevision(f"{checkpoint} has no branch {branch}; create it first")
    if parent and (head is None or head.sha != parent):
        raise BranchMoved(
            f"{branch} of {checkpoint} is at {head.sha if head else 'no commit'}, not at {parent};"
            " fetch it and commit again"
        )
    return head


def _take_in(
    checkpoint: Checkpoint, operations: Iterable[Operation], by: User
) -> tuple[list[Operation], dict[str, NewFile]]:
    """Stores the contents; returns the operations without them, and the added files by path."""
    taken: list[Operation] = []
    added: dict[str, NewFile] = {}
    contents: list[bytes] = []
    for one in operations:
        ops.check_one(one)
        if isinstance(one, AddFile):
            added[one.path] = _new_file(one)
            contents.append(one.content)
            one = AddFile(one.path, b"")
        taken.append(one)
        if len(contents) >= _BATCH or sum(map(len, contents)) >= _BATCH_BYTES:
            uploads.finish_contents(checkpoint, by, contents)
            contents.clear()
    ops.check(taken)
    uploads.finish_contents(checkpoint, by, contents)
    uploads.wait_for(checkpoint, by, {one.sha256 for one in taken if isinstance(one, AddObject)})
    return taken, added


def _new_file(one: AddFile) -> NewFile:
    digester = Digester(len(one.content))
    digester.update(memoryview(one.content))
    digest = digester.result()
    lfs = listing.is_lfs(one.path, len(one.content), is_text=digest.is_text)
    return recording.new_file(
        one.path, len(one.content), digest.sha256, lfs=lfs, git_oid=digest.git_oid
    )


def _files(
    checkpoint: Checkpoint,
    parent: _Parent,
    operations: Sequence[Operation],
    added: dict[str, NewFile],
    by: User,
) -> dict[str, NewFile]:
    wanted = {one.sha256 for one in operations if isinstance(one, AddObject)}
    wanted |= {file.sha256 for file in added.values()}
    sizes = presence.present(checkpoint, by, wanted)
    return ops.apply(checkpoint, parent.files, operations, added, sizes)


def _findings(files: Mapping[str, NewFile], parent: _Parent) -> list[dict[str, object]]:
    listed = [Listed(file.path, file.size, file.sha256) for file in files.values()]
    found = lint_findings.lint_stored(
        listed, blob_storage(), skip_missing=True, no_pointers=_no_pointers(files, parent)
    )
    return lint_findings.to_json(found)


def _no_pointers(files: Mapping[str, NewFile], parent: _Parent) -> set[str]:
    """The paths of unchanged files, if the lint of the parent found no LFS pointers."""
    findings = parent.revision.findings if parent.revision else None
    if findings is None or any(one["code"] == "lfs_pointer" for one in findings):
        return set()
    return {path for path in files if _is_unchanged(path, files, parent)}


def _is_unchanged(path: str, files: Mapping[str, NewFile], parent: _Parent) -> bool:
    return path in parent.files and parent.files[path].sha256 == files[path].sha256


def _record(
    checkpoint: Checkpoint,
    branch: str,
    parent: _Parent,
    operations: Sequence[Operation],
    added: dict[str, NewFile],
    *,
    by: User,
    message: str,
    findings: list[dict[str, object]],
) -> Revision | None:
    """Record the revision under the checkpoint's lock; None if the branch has moved since."""
    with transaction.atomic():
        checkpoint = Checkpoint.objects.locked().select_related("tier").get(pk=checkpoint.pk)
        if queries.branch_head(checkpoint.pk, branch) != parent.revision:
            return None
        if tagged_revision(checkpoint.pk, branch):
            raise CommitRefused(f"{branch} is a tag of {checkpoint}; a tag cannot move")
        files = _files(checkpoint, parent, operations, added, by)
        _check_quarantine(files, parent)
        recording.record_blobs(list(files.values()))
        revision = recording.record_revision(
            checkpoint,
            list(files.values()),
            branch=branch,
            tag="",
            message=message,
            author=by,
            findings=findings,
            licence=_licence(files, parent),
            state=Revision.State.DRAFT,
        )
        publication.publish_commit(revision, by=by)
        return revision


def _check_quarantine(files: Mapping[str, NewFile], parent: _Parent) -> None:
    """Raise CommitRefused if the commit adds quarantined bytes; unchanged files may stay."""
    paths = {
        file.sha256: path for path, file in files.items() if not _is_unchanged(path, files, parent)
    }
    quarantined = Blob.objects.filter(sha256__in=paths, state=Blob.State.QUARANTINED)
    for sha256, reason in quarantined.values_list("sha256", "quarantine_reason"):
        raise CommitRefused(f"{paths[sha256]} contains bytes that are in quarantine: {reason}")


def _licence(files: Mapping[str, NewFile], parent: _Parent) -> dict[str, str]:
    """The licence that README.md states. An unchanged README.md is not read again."""
    card = files.get("README.md")
    if card is None:
        return {}
    if parent.revision is not None and _is_unchanged(card.path, files, parent):
        return dict(parent.revision.licence)
    content = blob_storage().excerpt(card.sha256, front_matter.READ_BYTES)
    return licences.from_card(front_matter.split(content.decode(errors="replace")).values)
