"""What a checkpoint's own files say of it: its card, its configuration, its tensors.

Each is read from the store once, when its revision becomes visible, and kept under its
content, so that listing and searching ask the database alone. It cannot grow stale: what a
branch points at is asked each time, what a content says never changes.
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

from django.db.models import Q

from accounts.background.periodic import each
from accounts.web.sanitize import storable_value
from weights.catalogue import front_matter
from weights.catalogue.models import FileFacts
from weights.errors import BlobChanged, BlobMissing, StorageUnavailable
from weights.publishing.models import File, Ref, Revision
from weights.storage import BlobStorage, blob_storage, excerpts
from weights.storage.models import Blob

log = logging.getLogger(__name__)

Kind = FileFacts.Kind

CONFIG_BYTES = 1024 * 1024
#: Most headers fit the first, all but hostile ones the second.
_HEADER_GUESS, _HEADER_MOST = 128 * 1024, 32 * 1024 * 1024
#: Files read while somebody waits; more are left to the workers.
READ_AT_ONCE = 4
_LARGEST = 2**63 - 1
_WHOLE = "model.safetensors"
_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
_DTYPE = re.compile(r"[A-Z0-9_]{1,16}")
_LONGEST_TAG = 100


@dataclass(frozen=True)
class Contents:
    """What is known of one revision. `parameters` by type; empty unless every shard is known."""

    card: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, int] = field(default_factory=dict)

    @property
    def tags(self) -> list[str]:
        return card_tags(self.card)

    @property
    def total(self) -> int:
        """All parameters of the safetensors files; 0 where they are not known."""
        return sum(self.parameters.values())


@dataclass(frozen=True)
class _Line:
    """A telling file of a revision; `facts` is None until it was read."""

    revision_id: int
    path: str
    blob_id: int
    kind: FileFacts.Kind
    facts: dict[str, Any] | None

    @property
    def key(self) -> tuple[int, str]:
        """What its facts are kept under."""
        return self.blob_id, self.kind


# -- asking -----------------------------------------------------------------------------


def of_revisions(revision_ids: Collection[int]) -> dict[int, Contents]:
    """What is known of each of these revisions: one query, and nothing read from the store."""
    lines: dict[int, list[_Line]] = {pk: [] for pk in revision_ids}
    for line in _lines(Q(revision__in=revision_ids)):
        lines[line.revision_id].append(line)
    return {pk: _contents(held) for pk, held in lines.items()}


def of_revision(revision: Revision) -> Contents:
    """The same of one revision, reading the few files that nobody has read yet."""
    lines = _lines(Q(revision=revision))
    unread = [line for line in lines if line.facts is None]
    if 0 < len(unread) <= READ_AT_ONCE:
        read = _note(unread)
        lines = [replace(line, facts=read.get(line.key, line.facts)) for line in lines]
    return _contents(lines)


# -- reading ----------------------------------------------------------------------------


def note(revision: Revision) -> None:
    """Read what the telling files of a revision say; what the store keeps back waits."""
    _note([line for line in _lines(Q(revision=revision)) if line.facts is None])


def sweep() -> None:
    """Read what was kept back, of the revisions that branches point at."""
    branches = Ref.objects.filter(kind=Ref.Kind.BRANCH).values("revision")
    _note([line for line in _lines(Q(revision__in=branches)) if line.facts is None])


def _lines(which: Q) -> list[_Line]:
    """The telling files among these, each with what is known of it: one query."""
    telling = Q(path__in=["README.md", "config.json", _WHOLE]) | Q(
        path__startswith="model-", path__endswith=".safetensors"
    )
    rows = File.objects.filter(which, telling, blob__state=Blob.State.VERIFIED).values_list(
        "revision_id",
        "path",
        "blob_id",
        "blob__facts__kind",
        "blob__facts__facts",
    )
    found: dict[tuple[int, str], _Line] = {}
    for revision_id, path, blob_id, known_kind, facts in rows:
        kind = _kind(path)
        if kind is None:
            continue
        is_known = known_kind == kind  # one content may stand under two names
        if is_known or (revision_id, path) not in found:
            told = facts if is_known else None
            found[revision_id, path] = _Line(revision_id, path, blob_id, kind, told)
    return list(found.values())


def _kind(path: str) -> FileFacts.Kind | None:
    if path == "README.md":
        return Kind.CARD
    if path == "config.json":
        return Kind.CONFIG
    if path == _WHOLE or _SHARD.fullmatch(path):
        return Kind.TENSORS
    return None


def _note(unread: Collection[_Line]) -> dict[tuple[int, str], dict[str, Any]]:
    """Read and keep each content, whatever another one does; what was read, by key.

    A silent store ends it. What is missing, or no longer what was verified, waits.
    """
    if not unread:
        return {}
    reading = _Reading(unread)
    for kind in Kind:
        lines = {line.blob_id: line for line in unread if line.kind == kind}
        if lines:
            each(f"reading of {kind}", lines, partial(reading.note, lines))
    return reading.facts


class _Reading:
    """Contents being read; `facts` is what was read of them, by key."""

    def __init__(self, unread: Collection[_Line]) -> None:
        self.facts: dict[tuple[int, str], dict[str, Any]] = {}
        self._storage = blob_storage()
        self._is_silent = False
        self._blobs = Blob.objects.in_bulk({line.blob_id for line in unread})

    def note(self, lines: Mapping[int, _Line], blob_id: int) -> int:
        if self._is_silent:
            return 0
        line = lines[blob_id]
        try:
            row = _read(self._storage, line, self._blobs[blob_id])
        except (BlobMissing, BlobChanged) as error:
            log.warning("what %s says of its checkpoint waits: %s", line.path, error)
            return 0
        except (StorageUnavailable, OSError) as error:
            log.warning("what files say of their checkpoints waits: %s", error)
            self._is_silent = True
            return 0
        FileFacts.objects.bulk_create([row], ignore_conflicts=True)
        self.facts[line.key] = row.facts
        return 1


def _read(storage: BlobStorage, line: _Line, blob: Blob) -> FileFacts:
    row = FileFacts(blob_id=line.blob_id, kind=line.kind)
    if line.kind == Kind.CARD:
        text = excerpts.read(blob, front_matter.READ_BYTES, storage).decode(errors="replace")
        row.facts = storable_value(front_matter.split(text).values)
        row.tags = "\n".join(["", *map(searched, card_tags(row.facts)), ""])
        row.pipeline_tag = _word(row.facts, "pipeline_tag")[:_LONGEST_TAG]
    elif line.kind == Kind.CONFIG:
        row.facts = config(excerpts.read(blob, CONFIG_BYTES, storage))
    else:
        row.facts = parameters(_header(storage, blob))
    return row


def _header(storage: BlobStorage, blob: Blob) -> bytes:
    """A safetensors file's JSON header; empty where its length is absurd."""
    start = excerpts.read(blob, _HEADER_GUESS, storage)
    if len(start) < 8:
        return b""
    (length,) = struct.unpack("<Q", start[:8])
    if length > _HEADER_MOST:
        return b""
    if 8 + length > len(start):
        start = excerpts.read(blob, 8 + length, storage)
    return start[8 : 8 + length]


# -- understanding ----------------------------------------------------------------------


def parameters(header: bytes) -> dict[str, int]:
    """The number of parameters by type; empty for what is no header."""
    counts: dict[str, int] = {}
    for name, tensor in _json(header).items():
        if name == "__metadata__":
            continue
        size = _size(tensor)
        if size is None:
            return {}
        counts[tensor["dtype"]] = counts.get(tensor["dtype"], 0) + size
    return counts if sum(counts.values()) <= _LARGEST else {}


def _size(tensor: Any) -> int | None:
    """The elements of one tensor; None where the header does not describe one."""
    if not isinstance(tensor, dict):
        return None
    dtype, shape = tensor.get("dtype"), tensor.get("shape")
    if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype) or not isinstance(shape, list):
        return None
    if not all(type(side) is int and 0 <= side <= _LARGEST for side in shape):
        return None
    return math.prod(shape)


def config(content: bytes) -> dict[str, Any]:
    """What the Hub tells of a configuration, and nothing else that may stand in it."""
    read = _json(content)
    told: dict[str, Any] = {}
    names = read.get("architectures")
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        told["architectures"] = names[:8]
    if isinstance(read.get("model_type"), str):
        told["model_type"] = read["model_type"]
    facts: dict[str, Any] = storable_value(told)
    return facts


def card_tags(card: dict[str, Any]) -> list[str]:
    """The card's own tags, and those that the Hub derives from its other lines."""
    tags = [tag for tag in _list(card.get("tags")) if isinstance(tag, str)]
    tags += [_word(card, name) for name in ("library_name", "pipeline_tag")]
    tags += [language for language in _list(card.get("language")) if isinstance(language, str)]
    tags += [f"dataset:{name}" for name in _list(card.get("datasets")) if isinstance(name, str)]
    if _word(card, "license"):
        tags.append(f"license:{card['license']}")
    return [tag for tag in dict.fromkeys(tags) if tag]


def searched(tag: str) -> str:
    """A tag as it is kept for searching: in lower case, on one line."""
    return " ".join(tag.lower().split())[:_LONGEST_TAG]


def _contents(lines: list[_Line]) -> Contents:
    of_kind = {line.kind: line.facts for line in lines if line.facts is not None}
    return Contents(
        of_kind.get(Kind.CARD) or {}, of_kind.get(Kind.CONFIG) or {}, _parameters(lines)
    )


def _parameters(lines: list[_Line]) -> dict[str, int]:
    """Those of `model.safetensors`, else of all its shards; empty when one is not known."""
    tensors = [line for line in lines if line.kind == Kind.TENSORS]
    whole = [line for line in tensors if line.path == _WHOLE]
    counts: dict[str, int] = {}
    for line in whole or tensors:
        if not line.facts:
            return {}
        for dtype, count in line.facts.items():
            counts[dtype] = counts.get(dtype, 0) + count
    return counts


def _json(content: bytes) -> dict[str, Any]:
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _word(card: dict[str, Any], name: str) -> str:
    value = card.get(name)
    return value if isinstance(value, str) else ""
