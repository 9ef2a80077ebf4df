"""Facts of a revision read from its own files: card, configuration, tensor headers.

Each file is read from the store once, before its revision becomes visible, and its facts are
stored by blob, so that listings and searches need only the database. Blobs are immutable, so
they are read again only for a new version of the inspection's rules.
"""

import json
import logging
import math
import re
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from django.conf import settings
from django.db.models import BigIntegerField, Q

from accounts.background.periodic import each
from accounts.web.sanitize import storable_value
from weights.catalogue import front_matter, measured
from weights.catalogue.measured import architecture
from weights.catalogue.measured.counting import save_file_facts
from weights.catalogue.measured.weight_files import SAFETENSORS_FILE, SAFETENSORS_SHARD
from weights.catalogue.models import FileFacts, MeasuredFacts
from weights.errors import BlobChanged, BlobMissing, StorageUnavailable
from weights.inspection.formats.verdict import VERSION
from weights.publishing.models import File, Ref, Revision
from weights.storage import BlobStorage, blob_storage, excerpts
from weights.storage.models import Blob

log = logging.getLogger(__name__)

Kind = FileFacts.Kind

#: Maximum bytes read of a `config.json`.
CONFIG_BYTES = 1024 * 1024
#: Bytes of a first read, which contains most headers, and of the largest header accepted.
_HEADER_FIRST_READ, _HEADER_MAX = 128 * 1024, 32 * 1024 * 1024
#: Maximum files read during a request; workers read the rest.
READ_AT_ONCE = 4
#: Maximum files with outdated facts that one sweep reads again.
OUTDATED_AT_ONCE = 200
_DESCRIPTIONS = ["README.md", "config.json"]
_DTYPE = re.compile(r"[A-Z0-9_]{1,16}")
_TAG_LENGTH = 100

Key = tuple[int, str]


@dataclass(frozen=True)
class RevisionFacts:
    """Front matter, architecture, and measured facts (None until they are counted)."""

    card: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    measured: MeasuredFacts | None = field(default=None, compare=False)

    @property
    def tags(self) -> list[str]:
        return card_tags(self.card)

    @property
    def parameters(self) -> dict[str, int]:
        """Elements by dtype; empty if they were not counted."""
        return self.measured.tensor_types if self.measured else {}

    @property
    def total(self) -> int:
        """All elements; 0 if they were not counted."""
        return sum(self.parameters.values())


@dataclass(frozen=True)
class _DescriptiveFile:
    """A verified file from which facts are read; `facts` is None until then.

    `is_current` is False for facts of older rules.
    """

    revision_id: int
    path: str
    blob_id: int
    kind: FileFacts.Kind
    facts: dict[str, Any] | None
    is_current: bool

    @property
    def key(self) -> Key:
        """Identifies the FileFacts row."""
        return self.blob_id, self.kind


def stored_facts(revisions: Collection[Revision]) -> dict[int, RevisionFacts]:
    """Stored facts of each revision, by id: one query if `measured` was selected already."""
    files: dict[int, list[_DescriptiveFile]] = {revision.pk: [] for revision in revisions}
    for file in _descriptive_files(Q(revision__in=list(files), path__in=_DESCRIPTIONS)):
        files[file.revision_id].append(file)
    return {
        revision.pk: _combined(files[revision.pk], getattr(revision, "measured", None))
        for revision in revisions
    }


def revision_facts(revision: Revision) -> RevisionFacts:
    """Facts of one revision; reads up to READ_AT_ONCE unread files."""
    files = _descriptive_files(Q(revision=revision))
    unread = [file for file in files if file.facts is None]
    if 0 < len(unread) <= READ_AT_ONCE and not settings.READ_ONLY:
        facts = _read_and_store(unread)
        files = [replace(file, facts=facts.get(file.key, file.facts)) for file in files]
    return _combined(files, getattr(revision, "measured", None))


def read_revision(revision: Revision) -> None:
    """Reads and counts the facts of a revision; `sweep` retries unreadable files."""
    _read_missing(Q(revision=revision))
    measured.measure(revision)


def sweep() -> None:
    """Reads missing facts of the revisions that branches point at, and counts all revisions."""
    branches = Ref.objects.filter(kind=Ref.Kind.BRANCH).values("revision")
    _read_missing(Q(revision__in=branches), outdated=OUTDATED_AT_ONCE)
    measured.sweep()


def _read_missing(condition: Q, outdated: int = 0) -> None:
    """Reads files without facts, and up to `outdated` files with facts of older rules."""
    unread = [file for file in _descriptive_files(condition) if not file.is_current]
    old = [file for file in unread if file.facts is not None]
    _read_and_store([file for file in unread if file.facts is None] + old[:outdated])


def _descriptive_files(condition: Q) -> list[_DescriptiveFile]:
    """The matching files that facts are read from, with the stored facts: one query."""
    descriptive = Q(path__in=[*_DESCRIPTIONS, SAFETENSORS_FILE]) | Q(
        path__startswith="model-", path__endswith=".safetensors"
    )
    rows = File.objects.filter(condition, descriptive, blob__state=Blob.State.VERIFIED)
    files: dict[tuple[int, str], _DescriptiveFile] = {}
    for revision_id, path, blob_id, stored_kind, facts, version in rows.values_list(
        *("revision_id", "path", "blob_id", "blob__facts__kind", "blob__facts__facts"),
        "blob__facts__version",
    ):
        if (kind := _kind(path)) is None:
            continue
        # A blob used under two names has a row for each kind.
        is_stored = stored_kind == kind
        if is_stored or (revision_id, path) not in files:
            files[revision_id, path] = _DescriptiveFile(
                *(revision_id, path, blob_id, kind),
                facts=facts if is_stored else None,
                is_current=is_stored and version >= VERSION,
            )
    return list(files.values())


def _kind(path: str) -> FileFacts.Kind | None:
    if path == "README.md":
        return Kind.CARD
    if path == "config.json":
        return Kind.CONFIG
    if path == SAFETENSORS_FILE or SAFETENSORS_SHARD.fullmatch(path):
        return Kind.TENSORS
    return None


def _read_and_store(unread: Collection[_DescriptiveFile]) -> dict[Key, dict[str, Any]]:
    """Reads each file, stores its facts, and returns those read.

    A file that fails does not stop the others; an unavailable store stops all.
    """
    if not unread:
        return {}
    reader = _Reader(unread)
    for kind in Kind:
        files = {file.blob_id: file for file in unread if file.kind == kind}
        if files:
            each(f"reading of {kind}", files, partial(reader.read, files))
    return reader.facts


class _Reader:
    """Reads files until the store becomes unavailable; `facts` are those read so far."""

    def __init__(self, unread: Collection[_DescriptiveFile]) -> None:
        self.facts: dict[Key, dict[str, Any]] = {}
        self._storage = blob_storage()
        self._is_unavailable = False
        self._blobs = Blob.objects.in_bulk({file.blob_id for file in unread})

    def read(self, files: Mapping[int, _DescriptiveFile], blob_id: int) -> int:
        if self._is_unavailable:
            return 0
        file = files[blob_id]
        try:
            row = _read(self._storage, file, self._blobs[blob_id])
        except (BlobMissing, BlobChanged) as error:
            log.warning("facts of %s are not read yet: %s", file.path, error)
            return 0
        except (StorageUnavailable, OSError) as error:
            log.warning("facts of files are not read yet: %s", error)
            self._is_unavailable = True
            return 0
        save_file_facts([row])
        MeasuredFacts.objects.filter(revision__files__blob=blob_id).update(version=0)
        self.facts[file.key] = row.facts
        return 1


def _read(storage: BlobStorage, file: _DescriptiveFile, blob: Blob) -> FileFacts:
    row = FileFacts(blob_id=file.blob_id, kind=file.kind, version=VERSION)
    if file.kind == Kind.CARD:
        text = excerpts.read(blob, front_matter.READ_BYTES, storage).decode(errors="replace")
        row.facts = storable_value(front_matter.split(text).values)
        row.tags = "\n".join(["", *map(normalize_tag, card_tags(row.facts)), ""])
        row.pipeline_tag = _text(row.facts, "pipeline_tag")[:_TAG_LENGTH]
    elif file.kind == Kind.CONFIG:
        row.facts = config(excerpts.read(blob, CONFIG_BYTES, storage))
    else:
        row.facts = parameters(_header(storage, blob))
    return row


def _header(storage: BlobStorage, blob: Blob) -> bytes:
    """The JSON header of a safetensors file; empty if its length is implausible."""
    start = excerpts.read(blob, _HEADER_FIRST_READ, storage)
    if len(start) < 8:
        return b""
    (length,) = struct.unpack("<Q", start[:8])
    if length > _HEADER_MAX:
        return b""
    if 8 + length > len(start):
        start = excerpts.read(blob, 8 + length, storage)
    return start[8 : 8 + length]


def parameters(header: bytes) -> dict[str, int]:
    """Number of parameters by dtype; empty for an invalid header."""
    counts: dict[str, int] = {}
    for name, tensor in _json_object(header).items():
        if name == "__metadata__":
            continue
        size = _element_count(tensor)
        if size is None:
            return {}
        counts[tensor["dtype"]] = counts.get(tensor["dtype"], 0) + size
    return counts if sum(counts.values()) <= BigIntegerField.MAX_BIGINT else {}


def _element_count(tensor: Any) -> int | None:
    """Number of elements of a header entry; None if it does not describe a tensor."""
    if not isinstance(tensor, dict):
        return None
    dtype, shape = tensor.get("dtype"), tensor.get("shape")
    if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype) or not isinstance(shape, list):
        return None
    if not all(type(side) is int and 0 <= side <= BigIntegerField.MAX_BIGINT for side in shape):
        return None
    return math.prod(shape)


def config(content: bytes) -> dict[str, Any]:
    """The architecture that a `config.json` describes, and nothing else."""
    return architecture.of_config(_json_object(content))


def card_tags(card: dict[str, Any]) -> list[str]:
    """The card's tags, and those that the Hub derives from its other fields."""
    tags = [tag for tag in _as_list(card.get("tags")) if isinstance(tag, str)]
    tags += [_text(card, name) for name in ("library_name", "pipeline_tag")]
    tags += [language for language in _as_list(card.get("language")) if isinstance(language, str)]
    tags += [f"dataset:{name}" for name in _as_list(card.get("datasets")) if isinstance(name, str)]
    if licence := _text(card, "license"):
        tags.append(f"license:{licence}")
    return [tag for tag in dict.fromkeys(tags) if tag]


def normalize_tag(tag: str) -> str:
    """A tag as stored for searching: in lower case, on one line, at most 100 characters."""
    return " ".join(tag.lower().split())[:_TAG_LENGTH]


def _combined(files: list[_DescriptiveFile], counted: MeasuredFacts | None) -> RevisionFacts:
    of_kind = {file.kind: file.facts for file in files if file.facts is not None}
    return RevisionFacts(of_kind.get(Kind.CARD) or {}, of_kind.get(Kind.CONFIG) or {}, counted)


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(card: dict[str, Any], name: str) -> str:
    value = card.get(name)
    return value if isinstance(value, str) else ""
