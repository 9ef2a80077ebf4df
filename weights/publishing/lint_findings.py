"""Runs the lint over source folders and stored revisions, and stores its findings."""

import os
from collections.abc import Container, Iterable

from django.db.models import QuerySet

from accounts.background.periodic import each, ready
from weights.errors import BlobChanged, BlobMissing, FindingsRefused, WeightsError
from weights.publishing import lint
from weights.publishing.lint import ERROR, Finding, Listed
from weights.publishing.models import Revision
from weights.publishing.source_folder import Source, opened
from weights.storage import BlobStorage, blob_storage
from weights.storage.models import Blob

#: Maximum revisions that one sweep checks.
BATCH = 20


def lint_sources(sources: Iterable[Source]) -> list[Finding]:
    """Findings about a folder, before its files are hashed."""
    by_path = {source.path: source for source in sources}

    def read(path: str, most: int) -> bytes:
        with opened(by_path[path]) as descriptor:
            return os.pread(descriptor, most, 0)

    return lint.lint((Listed(one.path, one.size) for one in by_path.values()), read)


def lint_revision(revision: Revision, storage: BlobStorage) -> list[Finding]:
    """Findings about the stored files of a revision, including duplicates by hash."""
    files = list(revision.files.select_related("blob"))
    return lint_stored([Listed(file.path, file.size, file.sha256) for file in files], storage)


def lint_stored(
    listed: list[Listed],
    storage: BlobStorage,
    *,
    skip_missing: bool = False,
    no_pointers: Container[str] = (),
) -> list[Finding]:
    """Findings about stored files, including duplicates by hash.

    `skip_missing` reads files that the store has lost or changed as empty ones: their check
    quarantines them. Otherwise raises BlobMissing and BlobChanged. `no_pointers` has the paths of
    files that are known to be no LFS pointers.
    """
    files = {file.path: file for file in listed}
    blobs = Blob.objects.in_bulk({file.sha256 for file in listed}, field_name="sha256")

    def read(path: str, most: int) -> bytes:
        sha256 = files[path].sha256
        blob = blobs.get(sha256)  # None for an object that no revision has yet
        try:
            return storage.excerpt(sha256, most, blob.served_version(storage) if blob else "")
        except (BlobMissing, BlobChanged):
            if not skip_missing:
                raise
            return b""

    return lint.lint(listed, read, no_pointers) + lint.duplicates(listed)


def check_no_errors(found: Iterable[Finding]) -> None:
    """Raises FindingsRefused if any finding is an error."""
    errors = [one.sentence for one in found if one.severity == ERROR]
    if errors:
        raise FindingsRefused(
            f"{' '.join(errors)} Nothing was published: correct the folder, or publish it"
            " unchanged with --accept-findings"
        )


def to_json(found: Iterable[Finding]) -> list[dict[str, object]]:
    """Findings as stored in the revision and returned by the API."""
    return [one._asdict() | {"paths": list(one.paths)} for one in found]


def sweep() -> None:
    """Checks visible revisions that were published before the lint existed."""
    each("findings", _unchecked(), _lint)


def _lint(revision: Revision) -> int:
    try:
        found = lint_revision(revision, blob_storage())
    except WeightsError:
        return 0  # the store or blob is unavailable; the next sweep retries
    unchecked = Revision.objects.filter(pk=revision.pk, findings__isnull=True)
    return unchecked.update(findings=to_json(found))


def _unchecked() -> QuerySet[Revision]:
    """Revisions without findings, in random order so that an unreadable one blocks no other."""
    unchecked = Revision.objects.visible().filter(findings__isnull=True)
    return ready("findings", unchecked).order_by("?")[:BATCH]
