"""Intake: hashes and stores a folder's files, then creates a revision of them.

Files are stored first and recorded last, in one short transaction. An interrupted run leaves
either the whole revision, or blobs that the next run reuses.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction

from accounts.background.outages import refuse_in_read_only_mode
from accounts.tiers.models import Tier
from accounts.users.models import User
from accounts.web.sanitize import multiline
from weights.catalogue import checkpoint_tiers, front_matter, licences, names
from weights.catalogue.models import Checkpoint
from weights.errors import BlobTooLarge, PublishRefused, SourceUnusable, UnknownTier
from weights.manifests import listing
from weights.publishing import lint, lint_findings, recording
from weights.publishing.digests import Digest, Digester
from weights.publishing.lint import Finding
from weights.publishing.md5_lists import published_md5s
from weights.publishing.models import Revision
from weights.publishing.queries import is_branch, tagged_revision
from weights.publishing.source_folder import Source, blocks, opened, scan
from weights.storage import BlobStorage, blob_storage
from weights.storage.models import Blob, IntakeNote

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
    states a licence other than its tier's. `licence` is used if the card states none. `progress` is
    called with the number of bytes of each step. Raises the errors of `weights.errors`, and
    TierRetired for a new checkpoint in a retired tier; an existing one accepts new revisions.
    """
    refuse_in_read_only_mode()
    sources = scan(directory)
    request = checked_request(
        repo_id,
        tier=tier,
        branch=branch,
        tag=tag,
        message=message,
        private=private,
        author=author,
        synthetic=synthetic,
        accept_findings=accept_findings,
        licence=licence,
        card_licence=_card_licence(sources),
    )
    check_sizes((source.path, source.size) for source in sources)
    findings = lint_findings.lint_sources(sources)
    if not request.accept_findings:
        lint_findings.check_no_errors(findings)
    stored = _store_files(sources, store(), progress or (lambda count: None))
    return record(request, stored, findings)


def checked_request(
    repo_id: str, *, tier: str, licence: str, card_licence: dict[str, str], **options: Any
) -> PublishRequest:
    """Validate names, tier and licence of a publication; raises the errors of `publish`."""
    org, name = names.split_repo_id(repo_id, also_reserved=[settings.ADMIN_PATH.partition("/")[0]])
    names.check_ref(options["branch"])
    if options["tag"]:
        names.check_ref(options["tag"])
    options["message"] = multiline(options["message"])
    request = PublishRequest(
        org=org,
        name=name,
        tier=_tier_of(tier),
        licence=licence or licences.named_text(card_licence),
        card_licence=card_licence,
        **options,
    )
    if _check_names(request) is None:
        request.tier.require_active()
    licences.check(request.tier, card_licence, request.licence)
    return request


def _tier_of(slug: str) -> Tier:
    tier = Tier.objects.filter(slug=slug).first()
    if tier is None:
        in_use = Tier.objects.filter(retired_at=None)
        slugs = ", ".join(in_use.values_list("slug", flat=True))
        raise UnknownTier(f"there is no tier {slug!r}; the tiers are: {slugs or 'none yet'}")
    return tier


def _card_licence(sources: list[Source]) -> dict[str, str]:
    """The licence that the folder's README.md states; empty if none."""
    for source in sources:
        if source.path == "README.md":
            with opened(source) as descriptor:
                return licence_of_card(os.pread(descriptor, front_matter.READ_BYTES, 0))
    return {}


def licence_of_card(card: bytes) -> dict[str, str]:
    """The licence that this README.md states; empty if none."""
    return licences.from_card(front_matter.split(card.decode(errors="replace")).values)


def store() -> BlobStorage:
    """The portal's store; only the first publication creates it.

    If it is missing later, it counts as unavailable: a new, empty store would look as if it had
    lost every blob.
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
        if request.tag and is_branch(checkpoint.pk, request.tag):
            raise PublishRefused(f"{request.tag!r} is a branch of {checkpoint}; choose another tag")
        if tagged_revision(checkpoint.pk, request.branch):
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


def check_sizes(files: Iterable[tuple[str, int]]) -> None:
    """Raises BlobTooLarge for a file that takes too long to check in one pass."""
    for path, size in files:
        if size > LARGEST_FILE:
            raise BlobTooLarge(
                f"{path} has {size} bytes, more than the limit of {LARGEST_FILE}"
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
        digester = Digester(source.size, md5=bool(md5))
        file = reused or store_file(source, storage, digester, progress)
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
    if not is_intact(storage, note.sha256, source.size):
        return None
    digest = Digest(note.sha256, note.git_oid, note.md5, note.is_text)
    return StoredFile(source.path, source.size, digest, repaired=False)


def is_intact(storage: BlobStorage, sha256: str, size: int) -> bool:
    """True if the store has these bytes, unchanged since their check and not in quarantine."""
    found = storage.stat(sha256)
    if found is None or found.size != size:
        return False
    blob = Blob.objects.filter(sha256=sha256).first()
    return blob is None or (
        blob.state != Blob.State.QUARANTINED and not blob.change(found, storage.address)
    )


def store_file(
    source: Source,
    storage: BlobStorage,
    digester: Digester,
    progress: Callable[[int], None],
    check: Callable[[Digest], None] = lambda digest: None,
) -> StoredFile:
    """Stores the file under its SHA-256, reading it once, unless `check` raises an error."""
    with storage.receive(source.size) as upload:
        with opened(source) as descriptor:
            for block in blocks(source, descriptor):
                digester.update(block)
                upload.write(block)
                progress(len(block))
        digest = digester.result()
        check(digest)
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
def record(request: PublishRequest, stored: list[StoredFile], found: list[Finding]) -> Revision:
    """Records blobs, files and revision; locks the checkpoint against concurrent publishers.

    `found` are the lint's findings; this adds duplicates.
    """
    listed = (lint.Listed(file.path, file.size, file.digest.sha256) for file in stored)
    findings = lint_findings.to_json([*found, *lint.duplicates(listed)])
    checkpoint = _locked_checkpoint(request)
    _check_quarantine(stored)
    files = [_new_file(file) for file in stored]
    recording.record_blobs(files)
    return recording.record_revision(
        checkpoint,
        files,
        branch=request.branch,
        tag=request.tag,
        message=request.message,
        author=request.author,
        findings=findings,
        licence=request.card_licence,
        state=Revision.State.PENDING,
    )


def _new_file(stored: StoredFile) -> recording.NewFile:
    digest = stored.digest
    return recording.new_file(
        stored.path,
        stored.size,
        digest.sha256,
        git_oid=digest.git_oid,
        lfs=listing.is_lfs(stored.path, stored.size, is_text=digest.is_text),
        md5=digest.md5,
        repaired=stored.repaired,
    )


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
        licences.assign(locked, request.licence)
    return locked


def _check_quarantine(stored: list[StoredFile]) -> None:
    """Raises PublishRefused for bytes that staff put into quarantine."""
    paths = {file.digest.sha256: file.path for file in stored}
    quarantined = Blob.objects.filter(held=True).values_list("sha256", "quarantine_reason")
    for sha256, reason in quarantined:
        if (path := paths.get(sha256)) is not None:
            raise PublishRefused(
                f"{path} contains bytes that are in quarantine: {reason.rstrip('.')}. Publish other"
                " bytes, or have the quarantine lifted in the admin (Blobs)"
            )
