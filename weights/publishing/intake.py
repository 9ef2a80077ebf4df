"""Intake: hashes and stores a folder's files, then creates a revision of them.

Files are stored first and recorded last, in one short transaction. An interrupted run leaves
either the whole revision, or blobs that the next run reuses.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.tiers.models import Tier
from accounts.users.models import User
from accounts.web.sanitize import multiline
from weights.catalogue import checkpoint_tiers, front_matter, licences, names
from weights.catalogue.models import Checkpoint
from weights.errors import BlobTooLarge, PublishRefused, SourceUnusable, UnknownTier
from weights.event_tags import WeightsEvent
from weights.integrity import verification
from weights.manifests import listing
from weights.publishing import lint, lint_findings, refs
from weights.publishing.digests import Digest, Digester
from weights.publishing.md5_lists import published_md5s
from weights.publishing.models import File, Revision
from weights.publishing.source_folder import Source, blocks, opened, scan
from weights.storage import BlobStorage, blob_storage
from weights.storage.models import Blob, IntakeNote

BATCH = 500
#: Bytes. A check reads a file in one pass and starts over when it is interrupted.
LARGEST_FILE = 500 * 10**9
# Two writes within one tick of the filesystem's clock leave the same timestamps.
_CLOCK_TICK = timedelta(milliseconds=50)


@dataclass(frozen=True)
class PublishRequest:
    """The validated arguments of `publish`."""

    org: str
    name: str
    tier: Tier
    branch: str
    tag: str
    message: str
    private: bool
    author: User | None
    synthetic: bool
    accept_findings: bool
    licence: str
    card_licence: dict[str, str]

    @property
    def repo_id(self) -> str:
        return f"{self.org}/{self.name}"


class StoredFile(NamedTuple):
    """A file in the store; size in bytes, `repaired` if it replaced a lost or corrupt blob."""

    path: str
    size: int
    digest: Digest
    repaired: bool


def publish(
    directory: Path,
    repo_id: str,
    *,
    tier: str,
    branch: str = "main",
    tag: str = "",
    message: str = "",
    private: bool = False,
    author: User | None = None,
    progress: Callable[[int], None] | None = None,
    synthetic: bool = False,
    accept_findings: bool = False,
    licence: str = "",
) -> Revision:
    """Stores every file of the folder and returns them as the branch's next revision.

    Creates the checkpoint if it is new. The revision becomes visible when all its blobs are
    verified; publishing the same content again returns the same revision. A folder with lint
    errors is refused before it is copied, unless `accept_findings`; so is one whose README.md
    states another licence than its tier. `licence` names that of a card without one. `progress` is
    called with the number of bytes of each step. Raises the errors of `weights.errors`, and
    TierRetired for a new checkpoint in a retired tier; an existing one takes new revisions.
    """
    org, name = names.split_repo_id(repo_id, also_reserved=[settings.ADMIN_PATH.partition("/")[0]])
    names.check_ref(branch)
    if tag:
        names.check_ref(tag)
    message = multiline(message)
    sources = scan(directory)
    card_licence = _card_licence(sources)
    licence = licence or licences.named_text(card_licence)
    request = PublishRequest(
        org=org,
        name=name,
        tier=_tier_of(tier),
        branch=branch,
        tag=tag,
        message=message,
        private=private,
        author=author,
        synthetic=synthetic,
        accept_findings=accept_findings,
        licence=licence,
        card_licence=card_licence,
    )
    if _check_names(request) is None:
        request.tier.require_active()
    licences.check(request.tier, request.card_licence, licence)
    _check_sizes(sources)
    findings = lint_findings.lint_sources(sources)
    if not request.accept_findings:
        lint_findings.check_no_errors(findings)
    stored = _store_files(sources, _store(), progress or (lambda count: None))
    findings += lint.duplicates(
        lint.Listed(file.path, file.size, file.digest.sha256) for file in stored
    )
    return _record(request, stored, lint_findings.to_json(findings))


def _tier_of(slug: str) -> Tier:
    tier = Tier.objects.filter(slug=slug).first()
    if tier is None:
        in_use = Tier.objects.filter(retired_at=None)
        slugs = ", ".join(in_use.values_list("slug", flat=True))
        raise UnknownTier(f"there is no tier {slug!r}; the tiers are: {slugs or 'none yet'}")
    return tier


def _card_licence(sources: list[Source]) -> dict[str, str]:
    """The licence that the folder's README.md states; empty for none."""
    for source in sources:
        if source.path == "README.md":
            with opened(source) as descriptor:
                content = os.pread(descriptor, front_matter.READ_BYTES, 0)
            return licences.from_card(front_matter.split(content.decode(errors="replace")).values)
    return {}


def _store() -> BlobStorage:
    """The portal's store, which only the first publication creates.

    If the store is missing later, it is unavailable; an empty one in its place would look as if
    it had lost every blob.
    """
    storage = blob_storage()
    if not Blob.objects.exists():
        storage.create()
    return storage


def _check_names(request: PublishRequest) -> Checkpoint | None:
    """Returns the checkpoint if it exists; raises PublishRefused for a conflict with it."""
    if request.tag == request.branch:
        raise PublishRefused(f"{request.tag!r} cannot be both branch and tag; choose another tag")
    named = Checkpoint.objects.filter(org__iexact=request.org, name__iexact=request.name)
    checkpoint = named.select_related("tier").first()
    if checkpoint is not None:
        _check_existing(checkpoint, request)
        if request.tag and refs.is_branch(checkpoint.pk, request.tag):
            raise PublishRefused(f"{request.tag!r} is a branch of {checkpoint}; choose another tag")
        if refs.tagged_revision(checkpoint.pk, request.branch):
            raise PublishRefused(f"{request.branch!r} is a tag of {checkpoint}; it cannot move")
    return checkpoint


def _check_existing(checkpoint: Checkpoint, request: PublishRequest) -> None:
    if checkpoint.repo_id != request.repo_id:
        raise PublishRefused(
            f"the name is taken by {checkpoint}; use that spelling or another name"
        )
    if checkpoint.tier_id != request.tier.pk:
        raise PublishRefused(
            f"{checkpoint} is in tier {checkpoint.tier.slug}, not {request.tier.slug};"
            f" publish with --tier {checkpoint.tier.slug}, or change its tier in the admin first"
        )
    if request.private and not checkpoint.private:
        raise PublishRefused(f"{checkpoint} is already public; make it private in the admin")


def _check_sizes(sources: list[Source]) -> None:
    """Raises BlobTooLarge for a file that takes too long to check in one pass."""
    for source in sources:
        if source.size > LARGEST_FILE:
            raise BlobTooLarge(
                f"{source.path} has {source.size} bytes, more than the limit of {LARGEST_FILE}"
                " (500 GB), because each check reads a file in one pass; save the checkpoint in"
                " smaller shards (save_pretrained with max_shard_size, or split) and publish those"
            )


def _store_files(
    sources: list[Source], storage: BlobStorage, progress: Callable[[int], None]
) -> list[StoredFile]:
    md5s = published_md5s(sources)
    stored = []
    for source in sources:
        md5 = md5s.get(source.path, "")
        reused = _stored_before(source, storage, md5_wanted=bool(md5))
        if reused is not None:
            progress(source.size)
        file = reused or _store_file(source, storage, progress, md5_wanted=bool(md5))
        if md5 and file.digest.md5 != md5:
            raise SourceUnusable(
                f"{source.path} has MD5 {file.digest.md5}, but the published list says {md5};"
                " fetch the file again or correct the list"
            )
        stored.append(file)
    return stored


def _stored_before(source: Source, storage: BlobStorage, *, md5_wanted: bool) -> StoredFile | None:
    """The unchanged file as an earlier run stored it, if the store still has an intact copy."""
    state = source.state
    note = IntakeNote.objects.filter(
        device=str(state.device),
        inode=str(state.inode),
        size=state.size,
        mtime_ns=state.mtime_ns,
        ctime_ns=state.ctime_ns,
    ).first()
    if note is None or (md5_wanted and not note.md5):
        return None
    found = storage.stat(note.sha256)
    if found is None or found.size != source.size:
        return None
    blob = Blob.objects.filter(sha256=note.sha256).first()
    if blob is not None and (
        blob.state == Blob.State.QUARANTINED or blob.change(found, storage.address)
    ):
        return None
    digest = Digest(note.sha256, note.git_oid, note.md5, note.is_text)
    return StoredFile(source.path, source.size, digest, repaired=False)


def _store_file(
    source: Source, storage: BlobStorage, progress: Callable[[int], None], *, md5_wanted: bool
) -> StoredFile:
    """Stores the file under its SHA-256, reading it once."""
    digester = Digester(source.size, md5=md5_wanted)
    with storage.receive(source.size) as upload:
        with opened(source) as descriptor:
            for block in blocks(source, descriptor):
                digester.update(block)
                upload.write(block)
                progress(len(block))
        digest = digester.result()
        blob = Blob.objects.filter(sha256=digest.sha256).first()
        state = blob.state if blob else None
        found = storage.stat(digest.sha256)
        whole = blob is not None and found is not None and not blob.change(found, storage.address)
        # A verified, unchanged copy stays; any other is replaced by these bytes.
        if not (whole and state == Blob.State.VERIFIED):
            upload.commit(digest.sha256)
    _remember(source, digest)
    repaired = state == Blob.State.QUARANTINED or (state == Blob.State.VERIFIED and not whole)
    return StoredFile(source.path, source.size, digest, repaired)


def _remember(source: Source, digest: Digest) -> None:
    """Saves the digests for the next run, unless a later write could leave the same timestamps."""
    state = source.state
    if time.time_ns() - state.ctime_ns < _CLOCK_TICK.total_seconds() * 1e9:
        return
    IntakeNote.objects.update_or_create(
        device=str(state.device),
        inode=str(state.inode),
        defaults={
            "size": state.size,
            "mtime_ns": state.mtime_ns,
            "ctime_ns": state.ctime_ns,
            "sha256": digest.sha256,
            "git_oid": digest.git_oid,
            "md5": digest.md5,
            "is_text": digest.is_text,
        },
    )


@transaction.atomic
def _record(
    request: PublishRequest, stored: list[StoredFile], findings: list[dict[str, object]]
) -> Revision:
    """Records blobs, files and revision; locks the checkpoint against concurrent publishers."""
    checkpoint = _locked_checkpoint(request)
    _check_quarantine(stored)
    _record_blobs(stored)
    revision = _revision(checkpoint, request, stored, findings)
    _set_refs(revision, request)
    verification.settle(revision)
    # Also for a visible revision, whose corrupt blobs may have been replaced.
    verification.queue_after_commit(revision)
    return revision


def _locked_checkpoint(request: PublishRequest) -> Checkpoint:
    if _check_names(request) is None:
        facts = {"tier": request.tier, "private": request.private, "synthetic": request.synthetic}
        checkpoint, created = Checkpoint.objects.get_or_create(
            org=request.org, name=request.name, defaults=facts
        )
        if created:
            checkpoint_tiers.record_new_checkpoint(checkpoint, by=request.author)
    locked = Checkpoint.objects.select_for_update().get(org=request.org, name=request.name)
    _check_names(request)  # again, since another publisher may have held the lock
    if request.licence and not request.tier.is_gated:
        _set_licence(locked, request.licence)
    return locked


def _set_licence(checkpoint: Checkpoint, licence: str) -> None:
    checkpoint.licence = licences.find_text(licence)
    checkpoint.licence_code = "" if checkpoint.licence else licence.lower()
    checkpoint.save(update_fields=["licence", "licence_code"])


def _check_quarantine(stored: list[StoredFile]) -> None:
    """Raises PublishRefused for bytes that staff put into quarantine."""
    paths = {file.digest.sha256: file.path for file in stored}
    quarantined = Blob.objects.filter(held=True).values_list("sha256", "quarantine_reason")
    for sha256, reason in quarantined:
        if (path := paths.get(sha256)) is not None:
            raise PublishRefused(
                f"{path} contains bytes that are in quarantine: {reason} Publish other bytes, or"
                " have the quarantine lifted in the admin (Blobs)"
            )


def _record_blobs(stored: list[StoredFile]) -> None:
    """Creates rows for new blobs and queues replaced ones for verification."""
    now = timezone.now()
    # Sorted, so that two publishers cannot deadlock.
    sizes = sorted({file.digest.sha256: file.size for file in stored}.items())
    for start in range(0, len(sizes), BATCH):
        Blob.objects.bulk_create(
            [
                Blob(sha256=sha256, size=size, check_due_at=now)
                for sha256, size in sizes[start : start + BATCH]
            ],
            ignore_conflicts=True,
        )
    for file in stored:
        if file.repaired:
            verification.verify_replaced(file.digest.sha256)


def _revision(
    checkpoint: Checkpoint,
    request: PublishRequest,
    stored: list[StoredFile],
    findings: list[dict[str, object]],
) -> Revision:
    """The branch's head if it has this content, else a new revision on top of it."""
    head = refs.head(checkpoint.pk, request.branch)
    manifest_sha256 = listing.manifest_sha256(
        listing.Entry(file.path, file.size, file.digest.sha256) for file in stored
    )
    if head is not None and head.manifest_sha256 == manifest_sha256:
        return head
    sha = listing.revision_sha(manifest_sha256, head.sha if head else None)
    same = Revision.objects.filter(checkpoint=checkpoint, sha=sha).first()
    if same is not None:
        return _reopened(same, request)
    revision = Revision.objects.create(
        checkpoint=checkpoint,
        sha=sha,
        manifest_sha256=manifest_sha256,
        parent=head,
        branch=request.branch,
        tag=request.tag,
        message=request.message,
        author=request.author,
        file_count=len(stored),
        total_bytes=sum(file.size for file in stored),
        findings=findings,
        licence=request.card_licence,
    )
    _record_files(revision, stored)
    _record_event(revision, request, WeightsEvent.REVISION_PUBLISHED)
    return revision


def _reopened(revision: Revision, request: PublishRequest) -> Revision:
    """Returns an existing revision of this content and parent; a failed one is verified again."""
    if revision.state == Revision.State.WITHDRAWN:
        raise PublishRefused(f"{revision} was withdrawn; publish changed files instead")
    if revision.state == Revision.State.FAILED:
        revision.state = Revision.State.PENDING
        revision.state_reason = ""
        revision.save(update_fields=["state", "state_reason"])
        _record_event(revision, request, WeightsEvent.REVISION_REPUBLISHED)
    return revision


def _record_files(revision: Revision, stored: list[StoredFile]) -> None:
    for start in range(0, len(stored), BATCH):
        batch = stored[start : start + BATCH]
        blobs = Blob.objects.filter(sha256__in={file.digest.sha256 for file in batch})
        ids = dict(blobs.values_list("sha256", "pk"))
        File.objects.bulk_create(_file(revision, file, ids[file.digest.sha256]) for file in batch)


def _file(revision: Revision, stored: StoredFile, blob_id: int) -> File:
    digest = stored.digest
    lfs = listing.is_lfs(stored.path, stored.size, is_text=digest.is_text)
    pointer = listing.lfs_pointer(digest.sha256, stored.size)
    part, shard = listing.part_and_shard(stored.path)
    return File(
        revision=revision,
        path=stored.path,
        blob_id=blob_id,
        lfs=lfs,
        git_oid=listing.git_blob_id(pointer) if lfs else digest.git_oid,
        md5=digest.md5,
        part=part,
        shard=shard,
    )


def _set_refs(revision: Revision, request: PublishRequest) -> None:
    """Sets branch and tag now, or stores them for when the revision becomes visible."""
    if request.tag:
        holder = refs.tagged_revision(revision.checkpoint_id, request.tag)
        if holder is not None and holder.pk != revision.pk:
            raise PublishRefused(f"the tag {request.tag!r} belongs to {holder}; choose another")
    if revision.state == Revision.State.VISIBLE:
        refs.set_refs(revision, branch=request.branch, tag=request.tag)
        return
    if request.branch != revision.branch or (request.tag and revision.tag not in {"", request.tag}):
        raise PublishRefused(
            f"{revision} is still being verified under its first branch and tag;"
            " publish again with the other name when it is visible"
        )
    if request.tag and not revision.tag:
        revision.tag = request.tag
        revision.save(update_fields=["tag"])


def _record_event(revision: Revision, request: PublishRequest, action: WeightsEvent) -> None:
    AuditEvent.record(
        action,
        actor=request.author,
        target=revision,
        credential=("", "") if request.author else ("command", ""),
        details={
            "checkpoint": request.repo_id,
            "sha": revision.sha,
            "branch": request.branch,
            "tag": request.tag,
            "files": revision.file_count,
            "bytes": revision.total_bytes,
            "findings": sorted({finding["code"] for finding in revision.findings or []}),
        },
    )
