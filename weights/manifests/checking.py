"""Hold every manifest against the bytes of a store: after a restore, or whenever one doubts.

Nothing is written and nothing is believed: a manifest must lead to the hash and to the id
that its revision is named by, and each blob must have the bytes that its name promises. A
blob of many revisions is read once.
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
class Proof:
    """What was looked at, and what is not as it was published, a sentence each."""

    revisions: int = 0
    files: int = 0
    #: Blobs whose presence and size were looked at, and of these the ones read to the end.
    blobs: int = 0
    blobs_read: int = 0
    #: Blobs that the store does not hold.
    missing: int = 0
    #: Bytes that were read.
    read: int = 0
    #: Blobs left out because their bytes are known to be bad.
    quarantined: int = 0
    faults: list[str] = field(default_factory=list)
    #: How each blob that was read and is good stood in the store as its reading began.
    good: list["Good"] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The counts, one a line; faults are told apart from them."""
        found = [
            f"revisions: {self.revisions}",
            f"files: {self.files}",
            f"blobs: {self.blobs}",
            f"blobs read: {self.blobs_read} ({self.read} bytes)",
        ]
        if self.quarantined:
            found.append(f"quarantined: {self.quarantined} (known to be bad, not compared)")
        return [*found, f"differences: {len(self.faults)}"]


class Good(NamedTuple):
    """A blob whose bytes are right, with the store's mark and version of what was read."""

    blob_id: int
    mark: str
    version: str


def to_prove() -> "models.QuerySet[Blob]":
    """Blobs whose bytes should be good; one held by hand is whole, and merely given to nobody."""
    return Blob.objects.exclude(state=Blob.State.QUARANTINED, held=False).order_by("pk")


def prove(
    store: BlobStorage, *, sample: int | None = None, progress: Callable[[int], None] | None = None
) -> Proof:
    """Every manifest and every blob; with `sample` so many blobs, drawn at random, are read.

    Presence and size of each blob are looked at in any case. `progress` is told the bytes of
    each step. Raises StorageUnavailable.
    """
    proof = Proof()
    for revision in Revision.objects.select_related("checkpoint", "parent").order_by("pk"):
        proof.revisions += 1
        proof.faults += _manifest_faults(revision, proof)
    drawn = _drawn(sample)
    for blob in to_prove().iterator(chunk_size=1000):
        proof.blobs += 1
        wanted = drawn is None or blob.pk in drawn
        proof.faults += _blob_faults(blob, store, proof, wanted, progress or (lambda count: None))
    proof.quarantined = Blob.objects.filter(state=Blob.State.QUARANTINED, held=False).count()
    return proof


def bytes_to_read(sample: int | None) -> int:
    """How many bytes `prove` reads of a whole store; of a sample about so many."""
    found = to_prove().aggregate(bytes=models.Sum("size"), blobs=models.Count("pk"))
    total = int(found["bytes"] or 0)
    if sample is None or sample >= found["blobs"]:
        return total
    return total * sample // int(found["blobs"])


def _drawn(sample: int | None) -> set[int] | None:
    """The keys of the blobs to read; None for all of them."""
    if sample is None:
        return None
    known = list(to_prove().values_list("pk", flat=True))
    return set(random.sample(known, min(sample, len(known))))  # nosec B311


# -- manifests ------------------------------------------------------------------------------


def _manifest_faults(revision: Revision, proof: Proof) -> Iterator[str]:
    files = list(revision.files.select_related("blob"))
    proof.files += len(files)
    entries = [listing.Entry(file.path, file.size, file.sha256) for file in files]
    found = listing.manifest_sha256(entries)
    if found != revision.manifest_sha256:
        yield f"{revision}: its files lead to another manifest than the one it was published with"
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
        told = [listing.Entry(f["path"], f["size"], f["sha256"]) for f in files_of(document)]
    except (json.JSONDecodeError, KeyError, TypeError):
        yield f"{revision}: its published manifest cannot be read"
        return
    if sorted(told) != sorted(entries):
        yield f"{revision}: its published manifest names other files than it has"


# -- bytes ----------------------------------------------------------------------------------


def _blob_faults(
    blob: Blob, store: BlobStorage, proof: Proof, wanted: bool, progress: Callable[[int], None]
) -> Iterator[str]:
    version = blob.served_version(store)
    stands = store.stat(blob.sha256, version)
    if stands is None:
        proof.missing += 1
        yield f"{described(blob)}: missing"
    elif stands.size != blob.size:
        yield f"{described(blob)}: {stands.size} bytes instead of {blob.size}"
    elif wanted:
        try:
            found, good = _read(blob, store, version, progress)
        except BlobMissing:
            yield f"{described(blob)}: missing"
            return
        proof.blobs_read += 1
        proof.read += blob.size
        if found != blob.sha256:
            yield f"{described(blob)}: its bytes have SHA-256 {found}"
        else:
            proof.good.append(good)


def _read(
    blob: Blob, store: BlobStorage, version: str, progress: Callable[[int], None]
) -> tuple[str, Good]:
    """The hash of its bytes, and how it stood there before the first of them was read."""
    with store.open(blob.sha256, version=version) as stream:
        stream.wait_past_ctime()  # type: ignore[attr-defined]
        good = Good(blob.pk, stream.stored.mark, getattr(stream, "version", ""))  # type: ignore[attr-defined]
        return sha256_of(stream, progress), good


def described(blob: Blob) -> str:
    """The blob's hash, and one file that is made of it."""
    file = File.objects.filter(blob=blob).select_related("revision__checkpoint").first()
    where = f" ({file.revision.checkpoint.repo_id}/{file.path})" if file else ""
    return f"{blob.sha256}{where}"
