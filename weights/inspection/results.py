"""What the inspections of files found, for pages and answers that tell it."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from weights.catalogue.models import Checkpoint
from weights.inspection import kinds
from weights.inspection.models import Inspection
from weights.integrity.verification.inspect_blob import uninspected_files
from weights.publishing.models import File, Revision


def of_files(files: Collection[File]) -> dict[int, Inspection]:
    """By the file's id, what was found of it under its name: one query.

    Each has `is_overridden`. A file that nobody has looked at yet is left out.
    """
    rows = Inspection.objects.filter(blob__in={file.blob_id for file in files})
    found = {(one.blob_id, one.family): one for one in rows.with_overrides()}
    known = ((file, found.get((file.blob_id, kinds.family(file.path)))) for file in files)
    return {file.pk: one for file, one in known if one is not None}


def of_paths(revision: Revision, paths: Iterable[str]) -> dict[str, Inspection]:
    """The same by path, of these files of one revision: two queries."""
    files = list(File.objects.filter(revision=revision, path__in=list(paths)))
    found = of_files(files)
    return {file.path: found[file.pk] for file in files if file.pk in found}


def of_revision(revision: Revision) -> dict[str, Inspection]:
    """The same of all its files."""
    files = list(File.objects.filter(revision=revision))
    found = of_files(files)
    return {file.path: found[file.pk] for file in files if file.pk in found}


@dataclass(frozen=True)
class Standing:
    """How far the looks at a checkpoint's visible files are, in numbers of files."""

    waiting: int
    inspected: int
    not_inspected: int
    refused: int

    @property
    def sentence(self) -> str:
        told = [
            (self.inspected, "inspected"),
            (self.waiting, "waiting for an inspection by the present rules"),
            (self.not_inspected, "in formats that nothing here can look into"),
            (self.refused, "refused"),
        ]
        return "; ".join(f"{count} {what}" for count, what in told if count) or "no files"


def standing(checkpoint: Checkpoint) -> Standing:
    """The same of all that a checkpoint shows: five queries."""
    files = File.objects.filter(
        revision__checkpoint=checkpoint, revision__state=Revision.State.VISIBLE
    )
    waiting = uninspected_files(files)
    rows = Inspection.objects.filter(blob__in=files.values("blob"))
    found = {(one.blob_id, one.family): one.outcome for one in rows}
    names = files.exclude(pk__in=waiting).values_list("blob_id", "path")
    counts = Counter(found.get((blob, kinds.family(path))) for blob, path in names)
    outcome = Inspection.Outcome
    return Standing(
        waiting=len(waiting),
        inspected=counts[outcome.INSPECTED],
        not_inspected=counts[outcome.NOT_INSPECTED],
        refused=counts[outcome.REFUSED],
    )
