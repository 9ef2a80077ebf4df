"""Intake: hash and store a folder's files, then make a revision of them.

Bytes are stored first and recorded last, in one short transaction: a kill at any instant
leaves either the whole revision or blobs that the next run finds again.
"""

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
from weights.catalogue import checkpoint_tiers, names
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
#: Bytes. A check reads a file in one go, and one that is stopped or killed starts over.
LARGEST_FILE = 500 * 10**9
# Within one tick of the filesystem's clock a second write would leave the same times.
_CLOCK_TICK = timedelta(milliseconds=50)


@dataclass(frozen=True)
class Order:
    """What a publisher asks for, checked."""

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

    @property
    def repo_id(self) -> str:
        return f"{self.org}/{self.name}"


class Taken(NamedTuple):
    """A file whose bytes are in the store; size in bytes, `repaired` if they were lost or bad."""

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
) -> Revision:
    """Store every file of the folder and make them the branch's next revision.

    The checkpoint is made if it is new. The revision becomes visible when each of its
    blobs has been verified. The same content on the same branch is the same revision.
    A folder that looks broken is refused before it is copied, unless `accept_findings`.
    `progress` is told the bytes of each step. Raises the errors of `weights.errors`.
    """
    org, name = names.split_repo_id(repo_id, also_reserved=[settings.ADMIN_PATH.partition("/")[0]])
    names.check_ref(branch)
    if tag:
        names.check_ref(tag)
    found = _tier(tier)
    message = multiline(message)
    order = Order(
        org, name, found, branch, tag, message, private, author, synthetic, accept_findings
    )
    _demand_fit(order)
    sources = scan(directory)
    _demand_readable_sizes(sources)
    linted = lint_findings.of_sources(sources)
    if not order.accept_findings:
        lint_findings.demand_no_errors(linted)
    taken = _take_in(sources, _store(), progress or (lambda count: None))
    linted += lint.duplicates(lint.Listed(one.path, one.size, one.digest.sha256) for one in taken)
    return _record(order, taken, lint_findings.as_kept(linted))


def _tier(slug: str) -> Tier:
    tier = Tier.objects.filter(slug=slug).first()
    if tier is None:
        known = ", ".join(Tier.objects.order_by("slug").values_list("slug", flat=True))
        raise UnknownTier(f"there is no tier {slug!r}; the tiers are: {known or 'none yet'}")
    return tier


def _store() -> BlobStorage:
    """The portal's store, begun with the first publication.

    Later one that is not there is away: another begun in its place would have lost all blobs.
    """
    storage = blob_storage()
    if not Blob.objects.exists():
        storage.create()
    return storage


# -- does the order fit what is there? ----------------------------------------------------


def _demand_fit(order: Order) -> Checkpoint | None:
    """The checkpoint of this name, if there is one; raises PublishRefused if it is another's."""
    if order.tag == order.branch:
        raise PublishRefused(f"{order.tag!r} cannot be both branch and tag; name the tag otherwise")
    named = Checkpoint.objects.filter(org__iexact=order.org, name__iexact=order.name)
    checkpoint = named.select_related("tier").first()
    if checkpoint is not None:
        _demand_same(checkpoint, order)
        if order.tag and refs.is_branch(checkpoint.pk, order.tag):
            raise PublishRefused(f"{order.tag!r} is a branch of {checkpoint}; choose another tag")
        if refs.tagged(checkpoint.pk, order.branch):
            raise PublishRefused(f"{order.branch!r} is a tag of {checkpoint}; it cannot move")
    return checkpoint


def _demand_same(checkpoint: Checkpoint, order: Order) -> None:
    if checkpoint.repo_id != order.repo_id:
        raise PublishRefused(
            f"the name is taken by {checkpoint}; use that spelling or another name"
        )
    if checkpoint.tier_id != order.tier.pk:
        raise PublishRefused(
            f"{checkpoint} is in tier {checkpoint.tier.slug}, not {order.tier.slug};"
            f" publish with --tier {checkpoint.tier.slug}, or change its tier in the admin first"
        )
    if order.private and not checkpoint.private:
        raise PublishRefused(f"{checkpoint} is listed already; make it private in the admin")


def _demand_readable_sizes(sources: list[Source]) -> None:
    """Raise BlobTooLarge for a file that takes too long to check in one go."""
    for source in sources:
        if source.size > LARGEST_FILE:
            raise BlobTooLarge(
                f"{source.path} has {source.size} bytes, and a file may have {LARGEST_FILE} (500"
                " GB), because each check reads it in one go; save the checkpoint in smaller"
                " shards (save_pretrained with max_shard_size, or split) and publish those"
            )


# -- bytes ------------------------------------------------------------------------------


def _take_in(
    sources: list[Source], storage: BlobStorage, progress: Callable[[int], None]
) -> list[Taken]:
    md5s = published_md5s(sources)
    taken = []
    for source in sources:
        md5 = md5s.get(source.path, "")
        noted = _noted(source, storage, md5_wanted=bool(md5))
        if noted is not None:
            progress(source.size)
        one = noted or _copy_in(source, storage, progress, md5_wanted=bool(md5))
        if md5 and one.digest.md5 != md5:
            raise SourceUnusable(
                f"{source.path} has MD5 {one.digest.md5}, but the published list says {md5};"
                " fetch the file again or correct the list"
            )
        taken.append(one)
    return taken


def _noted(source: Source, storage: BlobStorage, *, md5_wanted: bool) -> Taken | None:
    """The file's digests from an earlier run, if its bytes still stand in the store."""
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
    return Taken(source.path, source.size, digest, repaired=False)


def _copy_in(
    source: Source, storage: BlobStorage, progress: Callable[[int], None], *, md5_wanted: bool
) -> Taken:
    """Store the file under its SHA-256, reading it once."""
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
        # Bytes that were verified stay; any others give way to these, which are surely good.
        if not (whole and state == Blob.State.VERIFIED):
            upload.commit(digest.sha256)
    _note(source, digest)
    repaired = state == Blob.State.QUARANTINED or (state == Blob.State.VERIFIED and not whole)
    return Taken(source.path, source.size, digest, repaired)


def _note(source: Source, digest: Digest) -> None:
    """Remember what the file hashed to, unless a write just now could go unnoticed."""
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


# -- records ----------------------------------------------------------------------------


@transaction.atomic
def _record(order: Order, taken: list[Taken], linted: list[dict[str, object]]) -> Revision:
    """Blobs, files and revision at once, one publisher of a checkpoint after the other."""
    checkpoint = _locked_checkpoint(order)
    _demand_none_held(taken)
    _record_blobs(taken)
    revision = _revision(checkpoint, order, taken, linted)
    _name(revision, order)
    verification.settle(revision)
    # Also where it is visible already: good bytes may have taken the place of bad ones.
    verification.queue_after_commit(revision)
    return revision


def _locked_checkpoint(order: Order) -> Checkpoint:
    if _demand_fit(order) is None:
        facts = {"tier": order.tier, "private": order.private, "synthetic": order.synthetic}
        made, new = Checkpoint.objects.get_or_create(org=order.org, name=order.name, defaults=facts)
        if new:
            checkpoint_tiers.record_new_checkpoint(made, by=order.author)
    locked = Checkpoint.objects.select_for_update().get(org=order.org, name=order.name)
    _demand_fit(order)  # what another publisher wrote while this one waited
    return locked


def _demand_none_held(taken: list[Taken]) -> None:
    """Bytes that somebody put into quarantine come back by nobody's publishing them again."""
    paths = {one.digest.sha256: one.path for one in taken}
    held = Blob.objects.filter(held=True).values_list("sha256", "quarantine_reason")
    for sha256, reason in held:
        if (path := paths.get(sha256)) is not None:
            raise PublishRefused(
                f"{path} holds bytes that are in quarantine: {reason} Publish others, or have"
                " them lifted in the admin (Blobs)"
            )


def _record_blobs(taken: list[Taken]) -> None:
    """A row for each new blob; good bytes in place of bad ones are to be verified anew."""
    now = timezone.now()
    # In one order for all, so that two publishers never wait for each other.
    sizes = sorted({one.digest.sha256: one.size for one in taken}.items())
    for start in range(0, len(sizes), BATCH):
        Blob.objects.bulk_create(
            [
                Blob(sha256=sha256, size=size, check_due_at=now)
                for sha256, size in sizes[start : start + BATCH]
            ],
            ignore_conflicts=True,
        )
    for one in taken:
        if one.repaired:
            verification.verify_replaced(one.digest.sha256)


def _revision(
    checkpoint: Checkpoint, order: Order, taken: list[Taken], linted: list[dict[str, object]]
) -> Revision:
    """The branch's head if it has this content, else the revision that follows it."""
    head = refs.head(checkpoint.pk, order.branch)
    sum_of_all = listing.manifest_sha256(
        listing.Entry(one.path, one.size, one.digest.sha256) for one in taken
    )
    if head is not None and head.manifest_sha256 == sum_of_all:
        return head
    sha = listing.revision_sha(sum_of_all, head.sha if head else None)
    same = Revision.objects.filter(checkpoint=checkpoint, sha=sha).first()
    if same is not None:
        return _reopened(same, order)
    revision = Revision.objects.create(
        checkpoint=checkpoint,
        sha=sha,
        manifest_sha256=sum_of_all,
        parent=head,
        branch=order.branch,
        tag=order.tag,
        message=order.message,
        author=order.author,
        file_count=len(taken),
        total_bytes=sum(one.size for one in taken),
        findings=linted,
    )
    _record_files(revision, taken)
    _tell(revision, order, WeightsEvent.REVISION_PUBLISHED)
    return revision


def _reopened(revision: Revision, order: Order) -> Revision:
    """A revision with this very content and parent; one that failed gets another chance."""
    if revision.state == Revision.State.WITHDRAWN:
        raise PublishRefused(f"{revision} was withdrawn; publish changed files instead")
    if revision.state == Revision.State.FAILED:
        revision.state = Revision.State.PENDING
        revision.state_reason = ""
        revision.save(update_fields=["state", "state_reason"])
        _tell(revision, order, WeightsEvent.REVISION_REPUBLISHED)
    return revision


def _record_files(revision: Revision, taken: list[Taken]) -> None:
    for start in range(0, len(taken), BATCH):
        batch = taken[start : start + BATCH]
        ids = dict(
            Blob.objects.filter(sha256__in={one.digest.sha256 for one in batch}).values_list(
                "sha256", "pk"
            )
        )
        File.objects.bulk_create(_file(revision, one, ids[one.digest.sha256]) for one in batch)


def _file(revision: Revision, one: Taken, blob_id: int) -> File:
    digest = one.digest
    lfs = listing.is_lfs(one.path, one.size, is_text=digest.is_text)
    pointer = listing.lfs_pointer(digest.sha256, one.size)
    part, shard = listing.part_and_shard(one.path)
    return File(
        revision=revision,
        path=one.path,
        blob_id=blob_id,
        lfs=lfs,
        git_oid=listing.git_blob_id(pointer) if lfs else digest.git_oid,
        md5=digest.md5,
        part=part,
        shard=shard,
    )


def _name(revision: Revision, order: Order) -> None:
    """Give the revision the branch and tag asked for, now or when it is verified."""
    if order.tag:
        holder = refs.tagged(revision.checkpoint_id, order.tag)
        if holder is not None and holder.pk != revision.pk:
            raise PublishRefused(f"the tag {order.tag!r} belongs to {holder}; choose another")
    if revision.state == Revision.State.VISIBLE:
        refs.point(revision, branch=order.branch, tag=order.tag)
        return
    if order.branch != revision.branch or (order.tag and revision.tag not in {"", order.tag}):
        raise PublishRefused(
            f"{revision} is still being verified under its first branch and tag;"
            " publish again with the other name when it is visible"
        )
    if order.tag and not revision.tag:
        revision.tag = order.tag
        revision.save(update_fields=["tag"])


def _tell(revision: Revision, order: Order, action: WeightsEvent) -> None:
    AuditEvent.record(
        action,
        actor=order.author,
        target=revision,
        credential=("", "") if order.author else ("command", ""),
        details={
            "checkpoint": order.repo_id,
            "sha": revision.sha,
            "branch": order.branch,
            "tag": order.tag,
            "files": revision.file_count,
            "bytes": revision.total_bytes,
            "findings": sorted({one["code"] for one in revision.findings or []}),
        },
    )
