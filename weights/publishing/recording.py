"""Records blobs, and a revision with its files and refs.

Callers have stored the bytes and hold the checkpoint's lock. They record everything in one
transaction, so that an interruption leaves the whole revision or none of it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.background.batches import batches
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.errors import PublishRefused
from weights.event_tags import WeightsEvent
from weights.integrity import verification
from weights.manifests import listing
from weights.publishing import refs
from weights.publishing.models import File, Revision
from weights.publishing.queries import head_of, tagged_revision
from weights.storage.models import Blob

BATCH = 500
_State = Revision.State


class NewFile(NamedTuple):
    """A stored file to record; size in bytes, `git_oid` that of the LFS pointer if `lfs`.

    `repaired` if its bytes replaced a lost or corrupt blob.
    """

    path: str
    size: int
    sha256: str
    git_oid: str
    lfs: bool
    md5: str = ""
    repaired: bool = False


def new_file(
    path: str,
    size: int,
    sha256: str,
    *,
    lfs: bool,
    git_oid: str = "",
    md5: str = "",
    repaired: bool = False,
) -> NewFile:
    """Returns the file; `git_oid` is computed for an LFS file and required for any other."""
    if lfs:
        git_oid = listing.git_blob_id(listing.lfs_pointer(sha256, size))
    return NewFile(path, size, sha256, git_oid, lfs, md5, repaired)


def record_blobs(files: Sequence[NewFile]) -> None:
    """Creates rows for new blobs and queues replaced ones for verification."""
    now = timezone.now()
    # Sorted, so that two publishers cannot deadlock.
    sizes = sorted({file.sha256: file.size for file in files}.items())
    for batch in batches(sizes, BATCH):
        Blob.objects.bulk_create(
            [Blob(sha256=sha256, size=size, check_due_at=now) for sha256, size in batch],
            ignore_conflicts=True,
        )
    for file in files:
        if file.repaired:
            verification.verify_replaced(file.sha256)


def record_revision(
    checkpoint: Checkpoint,
    files: Sequence[NewFile],
    *,
    branch: str,
    tag: str,
    message: str,
    author: User | None,
    findings: list[dict[str, Any]],
    licence: dict[str, str],
    state: Revision.State,
) -> Revision:
    """Records the files as the branch's next revision, and queues their verification.

    `state` is PENDING for a publication, and DRAFT for a commit, whose parent may be a draft. The
    same content on the same parent is the same revision. Raises PublishRefused for a withdrawn one,
    and for a tag that another revision has.
    """
    head = head_of(checkpoint.pk, branch, drafts=state == _State.DRAFT)
    manifest_sha256 = listing.manifest_sha256(
        listing.Entry(file.path, file.size, file.sha256) for file in files
    )
    revision = _existing(checkpoint, head, manifest_sha256, state)
    if revision is None:
        revision = Revision.objects.create(
            checkpoint=checkpoint,
            sha=listing.revision_sha(manifest_sha256, head.sha if head else None),
            manifest_sha256=manifest_sha256,
            parent=head,
            branch=branch,
            tag=tag,
            message=message,
            author=author,
            state=state,
            file_count=len(files),
            total_bytes=sum(file.size for file in files),
            findings=findings,
            licence=licence,
        )
        _record_files(revision, files)
        record_event(revision, _EVENTS[state], author, branch=branch, tag=tag)
    elif _reopen(revision, state):
        record_event(revision, _REOPENED[state], author, branch=branch, tag=tag)
    _set_refs(revision, branch, tag)
    verification.settle(revision)
    # Also for a visible revision, whose corrupt blobs may have been replaced.
    verification.queue_after_commit(revision)
    return revision


_EVENTS = {
    _State.PENDING: WeightsEvent.REVISION_PUBLISHED,
    _State.DRAFT: WeightsEvent.REVISION_COMMITTED,
}
_REOPENED = {
    _State.PENDING: WeightsEvent.REVISION_REPUBLISHED,
    _State.DRAFT: WeightsEvent.REVISION_COMMITTED,
}


def _existing(
    checkpoint: Checkpoint, head: Revision | None, manifest_sha256: str, state: Revision.State
) -> Revision | None:
    """The head if it has this content, else the revision of this content and parent."""
    if head is not None and head.manifest_sha256 == manifest_sha256:
        return head
    sha = listing.revision_sha(manifest_sha256, head.sha if head else None)
    return Revision.objects.filter(checkpoint=checkpoint, sha=sha).first()


def _reopen(revision: Revision, state: Revision.State) -> bool:
    """Puts a failed revision or a draft into `state`; returns whether the state changed."""
    if revision.state == _State.WITHDRAWN:
        raise PublishRefused(f"{revision} was withdrawn; publish changed files instead")
    if revision.state in {_State.PENDING, _State.VISIBLE, state}:
        return False
    revision.state = state
    revision.state_reason = ""
    revision.save(update_fields=["state", "state_reason"])
    return True


def _record_files(revision: Revision, files: Sequence[NewFile]) -> None:
    for batch in batches(files, BATCH):
        blobs = Blob.objects.filter(sha256__in={file.sha256 for file in batch})
        ids = dict(blobs.values_list("sha256", "pk"))
        File.objects.bulk_create(_file(revision, file, ids[file.sha256]) for file in batch)


def _file(revision: Revision, file: NewFile, blob_id: int) -> File:
    part, shard = listing.part_and_shard(file.path)
    return File(
        revision=revision,
        path=file.path,
        blob_id=blob_id,
        lfs=file.lfs,
        git_oid=file.git_oid,
        md5=file.md5,
        part=part,
        shard=shard,
    )


def _set_refs(revision: Revision, branch: str, tag: str) -> None:
    """Sets branch and tag, or saves them until the revision becomes visible."""
    if tag:
        holder = tagged_revision(revision.checkpoint_id, tag)
        if holder is not None and holder.pk != revision.pk:
            raise PublishRefused(f"the tag {tag!r} belongs to {holder}; choose another")
    if revision.state == _State.VISIBLE:
        refs.set_refs(revision, branch=branch, tag=tag)
        return
    if revision.state == _State.DRAFT:
        if branch != revision.branch:
            raise PublishRefused(
                f"the draft {revision} of {revision.branch} has this content; publish that one"
            )
        return
    if branch != revision.branch or (tag and revision.tag not in {"", tag}):
        raise PublishRefused(
            f"{revision} is still being verified under its first branch and tag;"
            " publish again with the other name when it is visible"
        )
    if tag and not revision.tag:
        revision.tag = tag
        revision.save(update_fields=["tag"])


def record_event(
    revision: Revision, action: WeightsEvent, author: User | None, *, branch: str, tag: str
) -> None:
    """Record the commit or publication of a revision; `author` is None for a command."""
    AuditEvent.record(
        action,
        actor=author,
        target=revision,
        credential=("", "") if author else ("command", ""),
        details={
            "checkpoint": revision.checkpoint.repo_id,
            "sha": revision.sha,
            "branch": branch,
            "tag": tag,
            "files": revision.file_count,
            "bytes": revision.total_bytes,
            "findings": sorted({finding["code"] for finding in revision.findings or []}),
        },
    )
