"""What the lint found in a revision: asked before it is recorded, kept with it, shown."""

import os
from collections.abc import Iterable

from django.db.models import QuerySet

from accounts.background.periodic import each, ready
from weights.errors import FindingsRefused, WeightsError
from weights.publishing import lint
from weights.publishing.lint import ERROR, Finding, Listed
from weights.publishing.models import Revision
from weights.publishing.source_folder import Source, opened
from weights.storage import BlobStorage, blob_storage

#: Revisions from before the lint that one sweep looks at.
AT_ONCE = 20


def of_sources(sources: Iterable[Source]) -> list[Finding]:
    """What can be told of a folder before its bytes are read."""
    by_path = {source.path: source for source in sources}

    def read(path: str, most: int) -> bytes:
        with opened(by_path[path]) as descriptor:
            return os.pread(descriptor, most, 0)

    return lint.lint((Listed(one.path, one.size) for one in by_path.values()), read)


def of_revision(revision: Revision, storage: BlobStorage) -> list[Finding]:
    """The same of files that are stored already, and what their hashes tell."""
    files = list(revision.files.select_related("blob"))
    blobs = {file.path: file.blob for file in files}

    def read(path: str, most: int) -> bytes:
        blob = blobs[path]
        return storage.excerpt(blob.sha256, most, blob.served_version(storage))

    listed = [Listed(file.path, file.size, file.sha256) for file in files]
    found = lint.lint(listed, read)
    return found + lint.duplicates(listed)


def demand_no_errors(found: Iterable[Finding]) -> None:
    """Raise FindingsRefused where one of them is an error."""
    errors = [one.sentence for one in found if one.severity == ERROR]
    if errors:
        raise FindingsRefused(
            f"{' '.join(errors)} Nothing was published: mend the folder, or publish it as it is "
            "with --accept-findings"
        )


def as_kept(found: Iterable[Finding]) -> list[dict[str, object]]:
    """As they stand in the revision's record and in the API."""
    return [one._asdict() | {"paths": list(one.paths)} for one in found]


def sweep() -> None:
    """Look at visible revisions that were published before there was a lint."""
    each("findings", _unseen(), _look)


def _look(revision: Revision) -> int:
    try:
        found = of_revision(revision, blob_storage())
    except WeightsError:
        return 0  # the store is away, or the blob; the next sweep asks again
    unseen = Revision.objects.filter(pk=revision.pk, findings__isnull=True)
    return unseen.update(findings=as_kept(found))


def _unseen() -> QuerySet[Revision]:
    """Some revisions without a lint, in no order: one that cannot be read holds up no other."""
    unseen = Revision.objects.visible().filter(findings__isnull=True)
    return ready("findings", unseen).order_by("?")[:AT_ONCE]
