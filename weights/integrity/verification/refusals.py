"""Decides from inspections which blobs and revisions are refused."""

from collections.abc import Collection
from dataclasses import dataclass

from weights.inspection.families import family_of
from weights.inspection.models import Inspection
from weights.publishing.models import File, Revision
from weights.storage.models import Blob


@dataclass(frozen=True)
class Obstacle:
    """Why a revision with good bytes stays invisible; without a `reason` it awaits inspections."""

    reason: str = ""
    #: Ids of blobs with a name that was never inspected.
    uninspected: frozenset[int] = frozenset()


def name_families(blob: Blob) -> set[str]:
    """The name families of the blob's files, except in withdrawn revisions."""
    return families_by_blob([blob])[blob.pk]


def families_by_blob(blobs: Collection[Blob]) -> dict[int, set[str]]:
    """The same for several blobs, by id, with one query."""
    families: dict[int, set[str]] = {blob.pk: set() for blob in blobs}
    files = File.objects.filter(blob__in=families).exclude(revision__state=Revision.State.WITHDRAWN)
    for blob_id, path in files.order_by().values_list("blob_id", "path").distinct():
        families[blob_id].add(family_of(path))
    return families


def refusal_reason(blob: Blob) -> str:
    """The reason to quarantine the blob for its format, or "" if it may be served.

    A refused name blocks the revision that uses it, not others that use another name for the same
    bytes. If a visible revision has the refused name, the blob is refused.
    """
    refusing = {one.family: one for one in Inspection.objects.refusing().filter(blob=blob)}
    families = name_families(blob) if refusing else set()
    refused = families & set(refusing)
    if not refused:
        return ""
    if families - refused and not _is_visible_as(blob, refused):
        return ""
    return refusing[min(refused)].refusal


def _is_visible_as(blob: Blob, families: set[str]) -> bool:
    visible = File.objects.filter(blob=blob, revision__state=Revision.State.VISIBLE)
    paths = visible.order_by().values_list("path", flat=True).distinct()
    return any(family_of(path) in families for path in paths)


def uninspected_blobs(revision: Revision) -> frozenset[int]:
    """Ids of the blobs of a revision with a name that was never inspected."""
    inspections = _by_name(revision)
    names = revision.files.values_list("path", "blob_id")
    return frozenset(blob for path, blob in names if (blob, family_of(path)) not in inspections)


def obstacle(revision: Revision) -> Obstacle | None:
    """The first reason to keep a revision with good bytes invisible, or None: three queries."""
    inspections = _by_name(revision)
    rows = Inspection.objects.filter(blob__in=revision.files.values("blob"))
    refusing = set(rows.refusing().values_list("pk", flat=True))
    uninspected = set()
    tier = revision.checkpoint.tier
    for path, blob_id in revision.files.values_list("path", "blob_id"):
        inspection = inspections.get((blob_id, family_of(path)))
        if inspection is None:
            uninspected.add(blob_id)
        elif inspection.pk in refusing:
            return Obstacle(f"{path}: {inspection.refusal}")
        elif tier.inspected_only and inspection.outcome == Inspection.Outcome.NOT_INSPECTED:
            reason = f"the tier {tier} accepts only inspected formats, and {inspection.kind} is not"
            return Obstacle(f"{path}: {reason}")
    return Obstacle(uninspected=frozenset(uninspected)) if uninspected else None


def _by_name(revision: Revision) -> dict[tuple[int, str], Inspection]:
    rows = Inspection.objects.filter(blob__in=revision.files.values("blob"))
    return {(one.blob_id, one.family): one for one in rows}
