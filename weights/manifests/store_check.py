"""Checks every manifest against the bytes of a store, for example after a restore.

The check is read-only and trusts nothing: a manifest must yield the hash and the id of its
revision, and each blob must match its SHA-256. A blob of many revisions is
read once.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db import models

from weights.errors import BlobMissing
from weights.manifests import listing
from weights.manifests.document import files_of
from weights.manifests.models import PublishedManifest
from weights.publishing.models import File, Revision
from weights.storage import BlobStorage
from weights.storage.hashing import sha256_of
from weights.storage.models import Blob


@dataclass
class StoreReport:
    """The counts of a check, and one sentence per difference from what was published."""

    revisions: int = 0
    files: int = 0
    #: Blobs whose presence and size were checked, and those that were also read.
    blobs: int = 0
    blobs_read: int = 0
    #: Blobs that are not in the store.
    missing: int = 0
    #: Bytes.
    read: int = 0
    #: Blobs left out, since their bytes are already known to be bad.
    quarantined: int = 0
    faults: list[str] = field(default_factory=list)
    #: The blobs that were read and are good.
    good: list["Good"] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The counts, one per line; faults are only counted."""
        lines = [
            f"revisions: {self.revisions}",
            f"files: {self.files}",
            f"blobs: {self.blobs}",
            f"blobs read: {self.blobs_read} ({self.read} bytes)",
        ]
        if self.quarantined:
            lines.append(f"quarantined: {self.quarantined} (known to be bad, not compared)")
        return [*lines, f"differences: {len(self.faults)}"]


class Good(NamedTuple):
    """A good blob, with the store's mark and version from before its first byte was read."""

    blob_id: int
    mark: str
    version: str


def blobs_to_check() -> "models.QuerySet[Blob]":
    """Blobs whose bytes should be good, including those in manual quarantine."""
    return Blob.objects.exclude(state=Blob.State.QUARANTINED, held=False).order_by("pk")


def check_store(
    store: BlobStorage, *, sample: int | None = None, progress: Callable[[int], None] | None = None
) -> StoreReport:
    """Checks every manifest and blob; with `sample`, reads only that many random blobs.

    Presence and size of each blob are always checked. `progress` is called with the number of
    bytes of each step. Raises StorageUnavailable.
    """
    report = StoreReport()
    for revision in Revision.objects.select_related("checkpoint", "parent").order_by("pk"):
        report.revisions += 1
        report.faults += _manifest_faults(revision, report)
    drawn = _drawn(sample)
    for blob in blobs_to_check().iterator(chunk_size=1000):
        report.blobs += 1
        wanted = drawn is None or blob.pk in drawn
        report.faults += _blob_faults(blob, store, report, wanted, progress or (lambda count: None))
    report.quarantined = Blob.objects.filter(state=Blob.State.QUARANTINED, held=False).count()
    return report


def bytes_to_read(sample: int | None) -> int:
    """The bytes that `check_store` reads; an estimate for a sample."""
    sums = blobs_to_check().aggregate(bytes=models.Sum("size"), blobs=models.Count("pk"))
    total = int(sums["bytes"] or 0)
    if sample is None or sample >= sums["blobs"]:
        return total
    return total * sample // int(sums["blobs"])


def _drawn(sample: int | None) -> set[int] | None:
    """The primary keys of the blobs to read; None for all."""
    if sample is None:
        return None
    keys = list(blobs_to_check().values_list("pk", flat=True))
    return set(random.sample(keys, min(sample, len(keys))))  # nosec B311


# -- manifests ------------------------------------------------------------------------------


def _manifest_faults(revision: Revision, report: StoreReport) -> Iterator[str]:
    files = list(revision.files.select_related("blob"))
    report.files += len(files)
    entries = [listing.Entry(file.path, file.size, file.sha256) for file in files]
    found = listing.manifest_sha256(entries)
    if found != revision.manifest_sha256:
        yield f"{revision}: its files yield a different manifest from the published one"
    parent = revision.parent.sha if revision.parent else None
    if listing.revision_sha(revision.manifest_sha256, parent) != revision.sha:
        yield f"{revision}: its id does not follow from its manifest and its parent"
    document = PublishedManifest.objects.filter(revision=revision).first()
    if document is not None:
        yield from _document_faults(revision, document, entries)


def _document_faults(
    revision: Revision, document: PublishedManifest, entries: list[listing.Entry]
) -> Iterator[str]:
    if hashlib.sha256(document.text.encode()).hexdigest() != document.sha256:
        yield f"{revision}: its published manifest was altered"
        return
    try:
        published = [listing.Entry(f["path"], f["size"], f["sha256"]) for f in files_of(document)]
    except (json.JSONDecodeError, KeyError, TypeError):
        yield f"{revision}: its published manifest cannot be read"
        return
    if sorted(published) != sorted(entries):
        yield f"{revision}: its published manifest does not list its files"


# -- bytes ----------------------------------------------------------------------------------


def _blob_faults(
    blob: Blob,
    store: BlobStorage,
    report: StoreReport,
    wanted: bool,
    progress: Callable[[int], None],
) -> Iterator[str]:
    version = blob.served_version(store)
    stored = store.stat(blob.sha256, version)
    if stored is None:
        report.missing += 1
        yield f"{describe(blob)}: missing"
    elif stored.size != blob.size:
        yield f"{describe(blob)}: {stored.size} bytes instead of {blob.size}"
    elif wanted:
        try:
            found, good = _read(blob, store, version, progress)
        except BlobMissing:
            yield f"{describe(blob)}: missing"
            return
        report.blobs_read += 1
        report.read += blob.size
        if found != blob.sha256:
            yield f"{describe(blob)}: its bytes have SHA-256 {found}"
        else:
            report.good.append(good)


def _read(
    blob: Blob, store: BlobStorage, version: str, progress: Callable[[int], None]
) -> tuple[str, Good]:
    """Returns the blob's actual hash, and its state in the store before the first byte was read."""
    with store.open(blob.sha256, version=version) as stream:
        stream.wait_past_ctime()  # type: ignore[attr-defined]
        good = Good(blob.pk, stream.stored.mark, getattr(stream, "version", ""))  # type: ignore[attr-defined]
        return sha256_of(stream, progress), good


def describe(blob: Blob) -> str:
    """The blob's hash and the path of one file that uses it."""
    file = File.objects.filter(blob=blob).select_related("revision__checkpoint").first()
    where = f" ({file.revision.checkpoint.repo_id}/{file.path})" if file else ""
    return f"{blob.sha256}{where}"
