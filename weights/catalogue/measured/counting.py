"""Counts the parameters of revisions from the facts of their files, and stores them.

Inspection counts the elements of each blob once (`store_counts`); a revision adds up those of its
weights. A new version of the inspection's rules counts everything again: first the blobs, in the
hourly inspection, then the revisions that use them.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import BigIntegerField, Q

from accounts.background.periodic import each, ready
from weights.catalogue.measured import architecture, weight_files
from weights.catalogue.measured.weight_files import WeightFile
from weights.catalogue.models import FileFacts, MeasuredFacts
from weights.inspection.formats.verdict import VERSION, Verdict
from weights.publishing.models import Revision
from weights.storage.models import Blob

#: Revisions that one sweep measures.
BATCH = 500
_STEP = "measuring of revisions"
#: Types of numbers that are parameters, and of buffers beside them. Others, such as integers of
#: 32 bits, may hold several quantised parameters.
_FLOATS = {"F64", "F32", "F16", "BF16"}
_BUFFERS = {"I64", "BOOL"}
_COUNTED = [FileFacts.Kind.TENSORS, FileFacts.Kind.GGUF, FileFacts.Kind.CONFIG]

#: Facts by blob id and kind.
_Facts = dict[tuple[int, str], dict[str, Any]]


def store_counts(verdicts: Mapping[Blob, Sequence[Verdict]]) -> None:
    """Stores the elements of inspected blobs, and has their revisions measured again."""
    rows: dict[tuple[Blob, str], FileFacts] = {}
    for blob, verdict in ((blob, one) for blob, found in verdicts.items() for one in found):
        if verdict.elements:
            kind = FileFacts.Kind.TENSORS
            rows[blob, kind] = _file_facts(blob, kind, verdict.elements)
        if verdict.metadata:
            rows[blob, FileFacts.Kind.GGUF] = _file_facts(
                blob, FileFacts.Kind.GGUF, verdict.metadata
            )
    save_file_facts(rows.values())
    if rows:
        blobs = {blob for blob, _kind in rows}
        MeasuredFacts.objects.filter(revision__files__blob__in=blobs).update(version=0)


def _file_facts(blob: Blob, kind: FileFacts.Kind, facts: dict[str, Any]) -> FileFacts:
    return FileFacts(blob=blob, kind=kind, facts=facts, version=VERSION)


def save_file_facts(rows: Collection[FileFacts]) -> None:
    """Stores facts of blobs in place of older ones: one statement."""
    FileFacts.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["blob", "kind"],
        update_fields=["facts", "tags", "pipeline_tag", "version"],
    )


def sweep() -> int:
    """Measures visible revisions that are not measured by the current rules. Returns how many."""
    current = MeasuredFacts.objects.filter(version__gte=VERSION).values("revision")
    waiting = Revision.objects.visible().exclude(pk__in=current)
    return each(_STEP, ready(_STEP, waiting).order_by("pk")[:BATCH], measure)


@transaction.atomic
def measure(revision: Revision) -> int:
    """Counts a revision's parameters and stores them. Returns 1.

    The row is locked before counting, so that an inspection that ends meanwhile marks it as old.
    """
    MeasuredFacts.objects.get_or_create(revision=revision)
    stored = MeasuredFacts.objects.select_for_update().get(revision=revision)
    counted = count(revision)
    counted.pk = stored.pk
    counted.save(force_update=True)
    return 1


def count(revision: Revision) -> MeasuredFacts:
    """The measured facts of a revision, not stored: two queries."""
    files = [
        WeightFile(*values)
        for values in revision.files.values_list("path", "part", "blob_id", "blob__size")
    ]
    facts = _stored_facts(revision)
    counted = weight_files.counted_files(files)
    tensor_types = _sums([facts.get((file.blob_id, "tensors"), {}) for file in counted])
    format_name = weight_files.format_of(counted[0].path) if tensor_types else ""
    is_split = any(file.part is not None for file in counted)
    return MeasuredFacts(
        revision=revision,
        counted_from=format_name,
        formats=weight_files.formats_of([file.path for file in files]),
        tensor_types=tensor_types,
        # Parts of model parallelism repeat some tensors and pad others.
        parameters=None if is_split else parameters(tensor_types, format_name),
        weight_bytes=sum(file.size for file in counted),
        architecture=_architecture(files, counted, facts),
        version=VERSION,
    )


def _stored_facts(revision: Revision) -> _Facts:
    rows = FileFacts.objects.filter(
        Q(kind__in=_COUNTED), blob__in=revision.files.order_by().values("blob")
    )
    return {(row.blob_id, row.kind): row.facts for row in rows}


def _sums(counts: list[dict[str, int]]) -> dict[str, int]:
    """Elements by dtype of all files; empty if one was not counted, or for too many to store."""
    if not all(counts):
        return {}
    sums: dict[str, int] = {}
    for one in counts:
        for dtype, elements in one.items():
            sums[dtype] = sums.get(dtype, 0) + elements
    return sums if sum(sums.values()) <= BigIntegerField.MAX_BIGINT else {}


def parameters(tensor_types: dict[str, int], format_name: str) -> int | None:
    """Number of parameters; None if integers may hold several of them each."""
    if format_name == "gguf":  # its types count elements, however many bits each takes
        return sum(tensor_types.values())
    if not tensor_types or set(tensor_types) - _FLOATS - _BUFFERS:
        return None
    return sum(count for dtype, count in tensor_types.items() if dtype in _FLOATS) or None


def _architecture(
    files: list[WeightFile], counted: list[WeightFile], facts: _Facts
) -> dict[str, Any]:
    """That of `config.json`, else that of the counted GGUF file."""
    for file in files:
        if file.path == "config.json" and (config := facts.get((file.blob_id, "config"))):
            return config
    metadata = facts.get((counted[0].blob_id, "gguf"), {}) if counted else {}
    return architecture.of_gguf(metadata)
