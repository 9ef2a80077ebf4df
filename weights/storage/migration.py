"""Copies blobs from one store to another and verifies each by its hash.

A blob gets its name in the new store only after all its bytes were copied and match it, so a run
may be killed at any time and the next one continues. Blobs already in the new store are read,
because their origin is unknown.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db import models

from weights.errors import BlobMissing, BlobTooLarge, SourceUnusable
from weights.manifests.store_check import blobs_to_check, describe
from weights.storage import BlobStorage
from weights.storage.hashing import BUFFER, holds
from weights.storage.models import Blob

Progress = Callable[[int], None]


class BlobToCopy(NamedTuple):
    """`size` in bytes, and the version to copy if the source keeps versions."""

    sha256: str
    size: int
    version: str = ""


@dataclass
class CopyReport:
    """Counts of blobs; `failures` are pairs (blob, reason) of blobs that were not copied.

    `replaced` counts copied blobs that replaced wrong bytes.
    """

    copied: int = 0
    copied_bytes: int = 0
    replaced: int = 0
    present: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)


def blobs_to_copy() -> "models.QuerySet[Blob]":
    """All undamaged blobs, including those in manual quarantine, which may be served again."""
    return blobs_to_check()


def blobs_left_out() -> "models.QuerySet[Blob]":
    return Blob.objects.exclude(pk__in=blobs_to_copy().values("pk"))


def copy_all(
    source: BlobStorage,
    target: BlobStorage,
    progress: Progress | None = None,
    *,
    trust_size: bool = False,
) -> CopyReport:
    """Copy the blobs that the target lacks, including those published meanwhile.

    Reads blobs in the target and replaces wrong ones; with `trust_size` only compares their size.
    `progress` is called with the bytes of each step, negative if a step is undone. Reports and
    skips a blob that is lost or damaged in the source. Raises StorageFull and StorageUnavailable
    for either store.
    """
    copier = _Copier(source, target, progress, trust_size)
    last = 0
    while blob := blobs_to_copy().filter(pk__gt=last).first():
        last = blob.pk
        wanted = BlobToCopy(blob.sha256, blob.size, blob.served_version(source))
        copier.copy(wanted, name=describe(blob))
    return copier.report


def copy_listed(
    blobs: Iterable[BlobToCopy],
    source: BlobStorage,
    target: BlobStorage,
    progress: Progress | None = None,
    *,
    trust_size: bool = False,
) -> CopyReport:
    """Copy the listed blobs like `copy_all`."""
    copier = _Copier(source, target, progress, trust_size)
    for wanted in blobs:
        copier.copy(wanted, name=wanted.sha256)
    return copier.report


class _Copier:
    """One run from one store to another."""

    def __init__(
        self, source: BlobStorage, target: BlobStorage, progress: Progress | None, trust_size: bool
    ) -> None:
        self.report = CopyReport()
        self._source, self._target = source, target
        self._progress = progress or (lambda count: None)
        self._trust_size = trust_size

    def copy(self, wanted: BlobToCopy, *, name: str) -> None:
        """Copy a blob unless the target has it, and report the result under `name`."""
        existed = self._target.size(wanted.sha256) is not None
        if existed and self._is_present(wanted):
            self.report.present += 1
            return
        try:
            copy_blob(wanted, self._source, self._target, self._progress)
        except (BlobMissing, SourceUnusable, BlobTooLarge) as error:
            is_missing = isinstance(error, BlobMissing)
            reason = f"missing in {self._source.address}" if is_missing else str(error)
            if existed:
                reason += f"; {self._target.address} has other bytes under its name"
            self.report.failures.append((name, reason))
            return
        self.report.copied += 1
        self.report.copied_bytes += wanted.size
        self.report.replaced += existed

    def _is_present(self, wanted: BlobToCopy) -> bool:
        """True if the target has the right bytes; undoes the progress of reading wrong ones."""
        read = 0

        def step(count: int) -> None:
            nonlocal read
            read += count
            self._progress(count)

        right = holds(self._target, wanted.sha256, wanted.size, None if self._trust_size else step)
        self._progress((wanted.size if right else 0) - read)
        return right


def copy_blob(
    wanted: BlobToCopy, source: BlobStorage, target: BlobStorage, progress: Progress
) -> None:
    """Copy the bytes of one blob in one pass; they get its name only if their hash matches.

    Raises BlobMissing and SourceUnusable for the source, StorageFull and BlobTooLarge for the
    target.
    """
    sha256, size, version = wanted
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(BUFFER))
    with source.open(sha256, version=version) as stream, target.receive(size) as upload:
        while count := stream.readinto(buffer):  # type: ignore[attr-defined]
            digest.update(buffer[:count])
            upload.write(buffer[:count])
            progress(count)
        if digest.hexdigest() != sha256:
            raise SourceUnusable(f"its bytes in {source.address} have SHA-256 {digest.hexdigest()}")
        upload.commit(sha256)
