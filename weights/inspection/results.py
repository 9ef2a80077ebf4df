"""Queries for inspections, by file and by checkpoint."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from weights.catalogue.models import Checkpoint
from weights.inspection import families
from weights.inspection.models import Inspection
from weights.integrity.verification.inspect_blob import uninspected_files
from weights.publishing.models import File, Revision


def of_files(files: Collection[File]) -> dict[int, Inspection]:
    """The inspection of each file for its name, by file id, with one query.

    Each has `is_overridden`. Files that have not been inspected are left out.
    """
    rows = Inspection.objects.filter(blob__in={file.blob_id for file in files})
    by_key = {(one.blob_id, one.family): one for one in rows.with_overrides()}
    keys = {file.pk: (file.blob_id, families.family_of(file.path)) for file in files}
    return {pk: by_key[key] for pk, key in keys.items() if key in by_key}


def of_paths(revision: Revision, paths: Iterable[str]) -> dict[str, Inspection]:
    """The inspections of some of a revision's files, by path: two queries."""
    return _by_path(File.objects.filter(revision=revision, path__in=list(paths)))


def of_revision(revision: Revision) -> dict[str, Inspection]:
    """The inspections of all of a revision's files, by path: two queries."""
    return _by_path(File.objects.filter(revision=revision))


def _by_path(files: Collection[File]) -> dict[str, Inspection]:
    inspections = of_files(files)
    return {file.path: inspections[file.pk] for file in files if file.pk in inspections}


@dataclass(frozen=True)
class InspectionProgress:
    """Counts of a checkpoint's visible files by the state of their inspection."""

    waiting: int
    inspected: int
    not_inspected: int
    code: int
    refused: int

    @property
    def sentence(self) -> str:
        counts = [
            (self.inspected, "inspected"),
            (self.waiting, "waiting for inspection by the current rules"),
            (self.not_inspected, "in formats that cannot be inspected"),
            (self.code, "of code"),
            (self.refused, "refused"),
        ]
        return "; ".join(f"{count} {state}" for count, state in counts if count) or "no files"


def progress_of(checkpoint: Checkpoint) -> InspectionProgress:
    """The inspection progress of a checkpoint's visible files: five queries."""
    files = File.objects.filter(
        revision__checkpoint=checkpoint, revision__state=Revision.State.VISIBLE
    )
    waiting = uninspected_files(files)
    rows = Inspection.objects.filter(blob__in=files.values("blob"))
    outcomes = {(one.blob_id, one.family): one.outcome for one in rows}
    names = files.exclude(pk__in=waiting).values_list("blob_id", "path")
    counts = Counter(outcomes.get((blob, families.family_of(path))) for blob, path in names)
    outcome = Inspection.Outcome
    return InspectionProgress(
        waiting=len(waiting),
        inspected=counts[outcome.INSPECTED],
        not_inspected=counts[outcome.NOT_INSPECTED],
        code=counts[outcome.CODE],
        refused=counts[outcome.REFUSED],
    )
