"""Counts the parameters of revisions from the facts of their files, and stores them.

Inspection counts the elements of each blob once (`store_counts`); a revision sums those of its
weight files. A new version of the inspection's rules recounts everything: first the blobs, in the
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

#: Maximum revisions that one sweep measures.
BATCH = 500
_STEP = "measuring of revisions"
#: Dtypes of parameters, and dtypes of buffers. An element of another dtype, such as a 32-bit
#: integer, may hold several quantised parameters.
_FLOATS = {"F64", "F32", "F16", "BF16"}
_BUFFERS = {"I64", "BOOL"}
_COUNTED = [FileFacts.Kind.TENSORS, FileFacts.Kind.GGUF, FileFacts.Kind.CONFIG]

#: Facts by blob id and kind.
_Facts = dict[tuple[int, str], dict[str, Any]]


def store_counts(verdicts: Mapping[Blob, Sequence[Verdict]]) -> None:
    """Stores the element counts of inspected blobs, and marks their revisions to be measured."""
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
    """Stores facts of blobs, replacing older ones, with one statement."""
    FileFacts.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["blob", "kind"],
        update_fields=["facts", "tags", "pipeline_tag", "version"],
    )


def sweep() -> int:
    """Measures visible revisions not yet measured by the current rules; returns their number."""
    current = MeasuredFacts.objects.filter(version__gte=VERSION).values("revision")
    waiting = Revision.objects.visible().exclude(pk__in=current)
    return each(_STEP, ready(_STEP, waiting).order_by("pk")[:BATCH], measure)


@transaction.atomic
def measure(revision: Revision) -> int:
    """Counts a revision's parameters and stores them. Returns 1.

    Locks the row before counting, so that an inspection that ends meanwhile marks it as outdated.
    """
    MeasuredFacts.objects.get_or_create(revision=revision)
    stored = MeasuredFacts.objects.select_for_update().get(revision=revision)
    counted = count(revision)
    counted.pk = stored.pk
    counted.save(force_update=True)
    return 1


def count(revision: Revision) -> MeasuredFacts:
    """The measured facts of a revision, unsaved, with two queries."""
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
        # Model-parallel parts repeat some tensors and pad others.
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
    """Total elements by dtype; empty if a file was not counted or the total is too large."""
    if not all(counts):
        return {}
    sums: dict[str, int] = {}
    for one in counts:
        for dtype, elements in one.items():
            sums[dtype] = sums.get(dtype, 0) + elements
    return sums if sum(sums.values()) <= BigIntegerField.MAX_BIGINT else {}


def parameters(tensor_types: dict[str, int], format_name: str) -> int | None:
    """Number of parameters; None if an integer may hold several parameters."""
    if format_name == "gguf":  # GGUF counts elements, whatever their size in bits
        return sum(tensor_types.values())
    if not tensor_types or set(tensor_types) - _FLOATS - _BUFFERS:
        return None
    return sum(count for dtype, count in tensor_types.items() if dtype in _FLOATS) or None


def _architecture(
    files: list[WeightFile], counted: list[WeightFile], facts: _Facts
) -> dict[str, Any]:
    """The architecture from `config.json`, else from the counted GGUF file."""
    for file in files:
        if file.path == "config.json" and (config := facts.get((file.blob_id, "config"))):
            return config
    metadata = facts.get((counted[0].blob_id, "gguf"), {}) if counted else {}
    return architecture.of_gguf(metadata)
