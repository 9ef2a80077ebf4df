"""What the names of a blob make of it: looked at where need be, and kept with its result.

A loader goes by a file's name, so one blob is looked at once for each family of names that
it has. A result is made again when the inspector's rules have grown.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.web.sanitize import one_line
from weights.errors import StorageUnavailable
from weights.inspection import kinds, runner
from weights.inspection.formats.verdict import VERSION, Verdict
from weights.inspection.models import REASON_MOST, Inspection
from weights.integrity.verification.leases import Lease
from weights.publishing.models import File, Revision
from weights.storage import BlobStorage
from weights.storage.models import Blob

Outcome = Inspection.Outcome
#: What a later look at the same name may find otherwise.
_FOUND = ["outcome", "kind", "reason", "imports", "tensors", "read_to_end"]
_FOUND += ["version", "allowed", "made_at"]


@dataclass(frozen=True)
class Look:
    """What the bytes are, as this family of names."""

    family: str
    verdict: Verdict


class StoredSource:
    """A blob in the store, read by place; the lease is renewed as it is read."""

    def __init__(self, lease: Lease, storage: BlobStorage, version: str) -> None:
        self.size = lease.blob.size
        self._lease, self._storage, self._version = lease, storage, version

    def read(self, start: int, length: int) -> bytes:
        if self._lease.is_time_for_a_sign():
            self._lease.renew()
        length = max(0, min(length, self.size - start))
        if not length:
            return b""
        found = self._storage.read(self._lease.blob.sha256, start, length, self._version)
        if len(found) != length:
            raise StorageUnavailable(f"the store gave {len(found)} of {length} bytes")
        return found


def look(
    lease: Lease, storage: BlobStorage, version: str = "", *, afresh: bool = False
) -> list[Look]:
    """Look at the blob as each of its names that present rules have not looked at.

    With `afresh` its bytes were read whole just now, so a refusal is looked at again too: it
    may have been of damaged ones. Raises what the store raises, and LeaseLost.
    """
    source = StoredSource(lease, storage, version)
    extra = settings.PICKLE_IMPORTS
    return [
        Look(family, runner.inspect(source, family, extra=extra))
        for family in sorted(_families(lease.blob) - _known(lease.blob, afresh=afresh))
    ]


def keep(blob: Blob, looks: list[Look]) -> None:
    """Write the results, in the transaction that writes what comes of them."""
    now, mark = timezone.now(), allowed_mark()
    Inspection.objects.bulk_create(
        [_row(blob, one, mark, now) for one in looks],
        update_conflicts=True,
        unique_fields=["blob", "family"],
        update_fields=_FOUND,
    )


def drop_outdated(blob: Blob) -> None:
    """Forget results by old rules, of names that no file has any more: none takes their place.

    They would be asked to be made again for ever.
    """
    old = Inspection.objects.filter(blob=blob).outdated(VERSION, allowed_mark())
    old.exclude(family__in=_families(blob)).delete()


def _row(blob: Blob, one: Look, mark: str, now: datetime) -> Inspection:
    verdict = one.verdict
    return Inspection(
        blob=blob,
        family=one.family,
        outcome=verdict.outcome,
        kind=verdict.kind,
        reason=one_line(verdict.reason)[:REASON_MOST],
        imports=[one_line(name) for name in verdict.imports],
        tensors=verdict.tensors,
        read_to_end=verdict.read_to_end,
        version=VERSION,
        allowed=mark,
        made_at=now,
    )


def allowed_mark() -> str:
    """A short name of the imports that are allowed beside the standard ones; empty for none."""
    extra = sorted(settings.PICKLE_IMPORTS)
    return sha256("\n".join(extra).encode()).hexdigest()[:16] if extra else ""


def _families(blob: Blob) -> set[str]:
    return {kinds.family(path) for path in _paths(blob)}


def _paths(blob: Blob) -> list[str]:
    files = File.objects.filter(blob=blob).exclude(revision__state=Revision.State.WITHDRAWN)
    return list(files.order_by().values_list("path", flat=True).distinct())


def _known(blob: Blob, *, afresh: bool) -> set[str]:
    """Families with a result that needs no new look."""
    rows = Inspection.objects.filter(blob=blob)
    if afresh:
        rows = rows.exclude(outcome=Outcome.REFUSED)
    old = rows.outdated(VERSION, allowed_mark()).values("pk")
    return set(rows.exclude(pk__in=old).values_list("family", flat=True))


# -- what the results mean ----------------------------------------------------------------


def closing_reason(blob: Blob) -> str:
    """Why the blob is given to nobody, by its names; empty where some name may be given out.

    Whoever gives good bytes a second name, as which they are refused, closes his own revision
    and not those of others. Where a visible revision has the refused name nothing is given.
    """
    refusing = {one.family: one for one in Inspection.objects.refusing().filter(blob=blob)}
    families = _families(blob) if refusing else set()
    refused = families & set(refusing)
    if not refused:
        return ""
    if families - refused and not _is_visible_as(blob, refused):
        return ""
    return refusing[min(refused)].refusal


def _is_visible_as(blob: Blob, families: set[str]) -> bool:
    visible = File.objects.filter(blob=blob, revision__state=Revision.State.VISIBLE)
    paths = visible.order_by().values_list("path", flat=True).distinct()
    return any(kinds.family(path) in families for path in paths)


@dataclass(frozen=True)
class Obstacle:
    """Why a revision whose bytes are whole is not to be shown; `reason` is empty while it waits."""

    reason: str = ""
    #: Blobs, a name of which nobody has looked at.
    unseen: frozenset[int] = frozenset()


def unseen_of(revision: Revision) -> frozenset[int]:
    """Blobs of a revision, a name of which nobody has looked at yet."""
    known = _by_name(revision)
    names = revision.files.values_list("path", "blob_id")
    return frozenset(blob for path, blob in names if (blob, kinds.family(path)) not in known)


def not_looked_at(files: "models.QuerySet[File]") -> dict[int, int]:
    """Of these files, those that present rules have not looked at as what they are named.

    Nobody has, or an older inspector, or with other imports allowed. The blob of each by the
    file's id; two queries.
    """
    rows = Inspection.objects.filter(blob__in=files.values("blob"))
    old = rows.outdated(VERSION, allowed_mark()).values("pk")
    known = set(rows.exclude(pk__in=old).values_list("blob_id", "family"))
    names = files.values_list("pk", "blob_id", "path")
    return {pk: blob for pk, blob, path in names if (blob, kinds.family(path)) not in known}


def _by_name(revision: Revision) -> dict[tuple[int, str], Inspection]:
    rows = Inspection.objects.filter(blob__in=revision.files.values("blob"))
    return {(one.blob_id, one.family): one for one in rows}


def obstacle(revision: Revision) -> Obstacle | None:
    """What keeps a revision of whole bytes from being shown, if anything: three queries."""
    known = _by_name(revision)
    rows = Inspection.objects.filter(blob__in=revision.files.values("blob"))
    refusing = set(rows.refusing().values_list("pk", flat=True))
    unseen = set()
    strict = revision.checkpoint.tier.inspected_only
    for path, blob_id in revision.files.values_list("path", "blob_id"):
        found = known.get((blob_id, kinds.family(path)))
        if found is None:
            unseen.add(blob_id)
        elif found.pk in refusing:
            return Obstacle(f"{path}: {found.refusal}")
        elif strict and found.outcome == Outcome.NOT_INSPECTED:
            tier = revision.checkpoint.tier
            why = f"the tier {tier} takes inspected formats only, and {found.kind} is none"
            return Obstacle(f"{path}: {why}")
    return Obstacle(unseen=frozenset(unseen)) if unseen else None
