"""Fetches the files of a revision on another hub and publishes them here.

Each file is downloaded to a partial file first, so a mirror needs disk space for all its files
and once more for the largest.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import transaction

from accounts.audit.models import AuditEvent
from accounts.background.outages import refuse_in_read_only_mode
from weights.catalogue import front_matter
from weights.errors import SourceUnusable
from weights.event_tags import WeightsEvent
from weights.publishing import intake, lint, lint_findings, md5_lists
from weights.publishing.digests import Digest, Digester
from weights.publishing.intake import StoredFile
from weights.publishing.mirror.download import download
from weights.publishing.mirror.models import RevisionSource
from weights.publishing.mirror.session import HubSession
from weights.publishing.mirror.source import SourceFile, SourceRevision
from weights.publishing.mirror.staging import Staging, staging_of
from weights.publishing.models import File, Revision
from weights.publishing.source_folder import FileState, Source
from weights.storage import BlobStorage


class WrongBytes(SourceUnusable):
    """The source sent bytes that do not match its listing."""


def publish_source(
    session: HubSession,
    source: SourceRevision,
    repo_id: str,
    *,
    staging: Path | None,
    progress: Callable[[int], None],
    accept_findings: bool,
    **options: Any,
) -> Revision:
    """Publishes the files of `source` as `repo_id`; `options` are those of `intake.publish`.

    `staging` is the folder for partial files, by default the store's. The next call within a day
    resumes an interrupted one. Raises the errors of `intake.publish`, and SourceUnusable if the
    source is unreachable or its bytes do not match its listing.
    """
    refuse_in_read_only_mode()
    intake.check_sizes((file.path, file.size) for file in source.files)
    storage = intake.store()
    folder = staging or storage.staging_folder
    if folder is None:
        raise SourceUnusable(
            "the store is a bucket: name a folder for partial files with --staging, on a disk with"
            " room for the largest file"
        )
    with staging_of(source, folder) as staged:
        fetcher = _Fetcher(session, source, storage, staged, progress)
        fetcher.reuse(repo_id)
        request = intake.checked_request(
            repo_id,
            card_licence=fetcher.card_licence(),
            accept_findings=accept_findings,
            message=f"Mirror of {source.repo_id}",
            author=None,
            synthetic=False,
            **options,
        )
        found = lint.lint(
            (lint.Listed(file.path, file.size) for file in source.files), fetcher.read
        )
        if not accept_findings:
            lint_findings.check_no_errors(found)
        stored = fetcher.all_files()
        with transaction.atomic():
            revision = intake.record(request, stored, found)
            _record_source(revision, source)
        staged.delete()
    return revision


def _record_source(revision: Revision, source: SourceRevision) -> None:
    origin: dict[str, Any] = {"hub": source.hub, "repo_id": source.repo_id, "commit": source.commit}
    _, created = RevisionSource.objects.get_or_create(revision=revision, **origin)
    if created:
        AuditEvent.record(
            WeightsEvent.REVISION_MIRRORED,
            target=revision,
            credential=("command", ""),
            details={"checkpoint": revision.checkpoint.repo_id, "sha": revision.sha, **origin},
        )


class _Fetcher:
    """Fetches each file once, on demand: the lint reads small files before the large ones."""

    def __init__(
        self,
        session: HubSession,
        source: SourceRevision,
        storage: BlobStorage,
        staging: Staging,
        progress: Callable[[int], None],
    ) -> None:
        self._session, self._source, self._storage = session, source, storage
        self._staging, self._progress = staging, progress
        self._files = {file.path: file for file in source.files}
        self._present = dict(staging.fetched)
        self._stored: dict[str, StoredFile] = {}
        self._md5s: dict[str, str] = {}

    def reuse(self, repo_id: str) -> None:
        """Reuse files that the checkpoint's revisions already have under the same paths."""
        org, _, name = repo_id.partition("/")
        rows = File.objects.filter(revision__checkpoint__org=org, revision__checkpoint__name=name)
        for row in rows.select_related("blob").iterator():
            digest = Digest(row.sha256, "" if row.lfs else row.git_oid, row.md5, not row.lfs)
            if row.path in self._files and _matches(digest, self._files[row.path]):
                self._present[row.path] = StoredFile(row.path, row.size, digest, repaired=False)

    def card_licence(self) -> dict[str, str]:
        """The licence that the source's README.md states; empty if none."""
        if "README.md" not in self._files:
            return {}
        return intake.licence_of_card(self.read("README.md", front_matter.READ_BYTES))

    def all_files(self) -> list[StoredFile]:
        """Fetch the missing files, MD5 lists first."""
        for path, file in self._files.items():
            if path.endswith(".csv") and file.size <= md5_lists.MAX_LIST_BYTES:
                self._md5s |= md5_lists.parse(path, self.read(path, file.size))
        return [self._file(path) for path in self._files]

    def read(self, path: str, most: int) -> bytes:
        """The first `most` bytes of a file; fetches the whole file."""
        stored = self._file(path)
        return self._storage.read(stored.digest.sha256, 0, min(most, stored.size))

    def _file(self, path: str) -> StoredFile:
        md5 = self._md5s.get(path, "")
        if path not in self._stored or (md5 and self._stored[path].digest.md5 != md5):
            file = self._files[path]
            self._stored[path] = self._reused(file, md5) or self._fetched(file, md5)
        return self._stored[path]

    def _reused(self, file: SourceFile, md5: str) -> StoredFile | None:
        stored = self._present.get(file.path)
        if (
            stored is None
            or not _matches(stored.digest, file)
            or (md5 and stored.digest.md5 != md5)
            or not intake.is_intact(self._storage, stored.digest.sha256, file.size)
        ):
            return None
        self._progress(file.size)
        return stored

    def _fetched(self, file: SourceFile, md5: str) -> StoredFile:
        """Downloads and stores the file; starts over if the bytes of an earlier run are wrong."""
        partial = self._staging.partial(file)
        is_continued = partial.exists()
        try:
            stored = self._store(file, partial, md5)
        except WrongBytes:
            partial.unlink()
            if not is_continued:
                raise
            self._progress(-file.size)
            stored = self._store(file, partial, md5)
        self._staging.note(stored)
        partial.unlink()
        return stored

    def _store(self, file: SourceFile, partial: Path, md5: str) -> StoredFile:
        download(self._session, self._source.url(file), file, partial, self._progress)
        return intake.store_file(
            Source(file.path, str(partial), FileState.of(partial.stat())),
            self._storage,
            Digester(file.size, md5=bool(md5), git=not file.sha256),
            lambda count: None,
            lambda digest: _check(digest, file, md5),
        )


def _check(digest: Digest, file: SourceFile, md5: str) -> None:
    """Raises WrongBytes unless these are the bytes that the source lists."""
    if not _matches(digest, file):
        raise WrongBytes(
            f"the source's bytes for {file.path!r} do not match its listing; nothing was published:"
            " run the same command again, and tell the source if that does not help"
        )
    if md5 and digest.md5 != md5:
        raise WrongBytes(
            f"{file.path!r} has MD5 {digest.md5}, but the published list says {md5}; nothing was"
            " published: have the source correct the list"
        )


def _matches(digest: Digest, file: SourceFile) -> bool:
    """True if these are the bytes that the source lists."""
    return digest.sha256 == file.sha256 if file.sha256 else digest.git_oid == file.git_oid
