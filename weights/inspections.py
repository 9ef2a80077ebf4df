"""What the inspections of files found, for pages and answers that tell it."""

from collections.abc import Collection, Iterable

from weights.inspection import kinds
from weights.models import File, Inspection, Revision


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
