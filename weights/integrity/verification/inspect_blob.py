"""Inspects the format of a blob's bytes, and stores the verdicts.

Loaders choose a format by file name, so a blob is inspected once for each family of names that
it has. An inspection is repeated when the inspector's rules have changed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.web.sanitize import one_line
from weights.catalogue import measured
from weights.errors import StorageUnavailable
from weights.inspection import runner
from weights.inspection.families import family_of
from weights.inspection.formats.verdict import VERSION, Verdict
from weights.inspection.models import MAX_REASON_LENGTH, Inspection
from weights.integrity.lease import Lease
from weights.integrity.verification.refusals import name_families
from weights.publishing.models import File
from weights.storage import BlobStorage
from weights.storage.models import Blob

#: Fields that a later inspection of the same blob and family may change.
_UPDATED = ["outcome", "kind", "reason", "imports", "tensors", "read_to_end"]
_UPDATED += ["version", "allowed", "made_at"]


@dataclass(frozen=True)
class NamedVerdict:
    """The verdict on the bytes for one family of names."""

    family: str
    verdict: Verdict


class StoredSource:
    """A blob in the store with random access; reading it renews the lease."""

    def __init__(self, lease: Lease[Blob], blob: Blob, storage: BlobStorage, version: str) -> None:
        self.size = blob.size
        self._lease, self._sha256 = lease, blob.sha256
        self._storage, self._version = storage, version

    def read(self, start: int, length: int) -> bytes:
        """Return `length` bytes from `start`, fewer at the end; raises the errors of the store."""
        self._lease.renew_if_due()
        length = max(0, min(length, self.size - start))
        if not length:
            return b""
        content = self._storage.read(self._sha256, start, length, self._version)
        if len(content) != length:
            raise StorageUnavailable(f"the store gave {len(content)} of {length} bytes")
        return content


def run(
    lease: Lease[Blob], storage: BlobStorage, version: str = "", *, again: bool = False
) -> list[NamedVerdict]:
    """Inspect the blob for each family of its names that has no verdict by the current rules.

    With `again`, re-inspects refused families: the refusal may have been about damaged bytes, and
    these are good. Raises the errors of the store, and LeaseLost.
    """
    blob = lease.row
    families = name_families(blob) - _inspected_families(blob, again=again)
    return inspect_as(families, StoredSource(lease, blob, storage, version))


def inspect_as(families: Collection[str], source: StoredSource) -> list[NamedVerdict]:
    """Inspect a blob for these families of names; raises the errors of `run`."""
    extra = settings.PICKLE_IMPORTS
    return [
        NamedVerdict(family, runner.inspect(source, family, extra=extra))
        for family in sorted(families)
    ]


def save(verdicts: Mapping[Blob, Sequence[NamedVerdict]]) -> None:
    """Store the verdicts; call this in the transaction that stores their consequences."""
    now, mark = timezone.now(), allowed_imports_mark()
    measured.store_counts(
        {blob: [one.verdict for one in named] for blob, named in verdicts.items()}
    )
    Inspection.objects.bulk_create(
        [_inspection(blob, one, mark, now) for blob, named in verdicts.items() for one in named],
        update_conflicts=True,
        unique_fields=["blob", "family"],
        update_fields=_UPDATED,
    )


def delete_outdated(blob: Blob) -> None:
    """Delete verdicts of old rules for names that no file still has.

    Nothing would replace them, so the hourly task would request an inspection forever.
    """
    outdated = Inspection.objects.filter(blob=blob).outdated(VERSION, allowed_imports_mark())
    outdated.exclude(family__in=name_families(blob)).delete()


def _inspection(blob: Blob, named: NamedVerdict, mark: str, now: datetime) -> Inspection:
    verdict = named.verdict
    return Inspection(
        blob=blob,
        family=named.family,
        outcome=verdict.outcome,
        kind=verdict.kind,
        reason=one_line(verdict.reason)[:MAX_REASON_LENGTH],
        imports=[one_line(name) for name in verdict.imports],
        tensors=verdict.tensors,
        read_to_end=verdict.read_to_end,
        version=VERSION,
        allowed=mark,
        made_at=now,
    )


def allowed_imports_mark() -> str:
    """A hash of the additionally allowed imports, or ""."""
    extra = sorted(settings.PICKLE_IMPORTS)
    return sha256("\n".join(extra).encode()).hexdigest()[:16] if extra else ""


def _inspected_families(blob: Blob, *, again: bool) -> set[str]:
    """Families of names with a current verdict."""
    rows = Inspection.objects.filter(blob=blob)
    if again:
        rows = rows.exclude(outcome=Inspection.Outcome.REFUSED)
    outdated = rows.outdated(VERSION, allowed_imports_mark()).values("pk")
    return set(rows.exclude(pk__in=outdated).values_list("family", flat=True))


def uninspected_files(files: "models.QuerySet[File]") -> dict[int, int]:
    """The files whose names have no verdict by the current rules, as file id -> blob id.

    Two queries.
    """
    rows = Inspection.objects.filter(blob__in=files.values("blob"))
    outdated = rows.outdated(VERSION, allowed_imports_mark()).values("pk")
    inspected = set(rows.exclude(pk__in=outdated).values_list("blob_id", "family"))
    names = files.values_list("pk", "blob_id", "path")
    return {pk: blob for pk, blob, path in names if (blob, family_of(path)) not in inspected}
