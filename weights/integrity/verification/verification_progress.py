"""How far a check is, as pages and commands tell it."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import models

from weights.catalogue.models import Checkpoint
from weights.inspection.kinds import family
from weights.inspection.models import Inspection
from weights.integrity.models import VerificationRun
from weights.integrity.verification.outcomes import TRIES
from weights.publishing.models import File, Revision
from weights.storage.models import UNVERIFIED, Blob

Result = VerificationRun.Result


@dataclass(frozen=True)
class Standing:
    """How far the check of some revisions is; sizes in bytes, failures as (file, reason)."""

    counts: dict[str, int]
    bytes_done: int
    bytes_all: int
    failures: list[tuple[str, str]]

    @property
    def waiting(self) -> int:
        """Blobs whose check has no result yet."""
        return self.counts["waiting"]


@dataclass(frozen=True)
class Progress:
    """How far the reading of one blob is, in bytes."""

    done: int
    all: int

    @property
    def percent(self) -> int:
        return 100 * self.done // self.all if self.all else 100


def progress_of(blob: Blob) -> Progress | None:
    """How far the check of this blob is; None while nobody reads it."""
    run = blob.runs.filter(result=Result.RUNNING).first()
    return Progress(run.started_from + run.bytes_read, blob.size) if run else None


def standing(revisions: Iterable[Revision]) -> Standing:
    """Counts by result over the blobs of these revisions, and what failed."""
    ids = [revision.pk for revision in revisions]
    blobs = Blob.objects.filter(files__revision__in=ids).distinct()
    counts = {"verified": 0, "quarantined": 0, "unreadable": 0, "waiting": 0}
    done = everything = 0
    reasons: dict[int, str] = {}
    for blob in blobs:
        word = _word(blob)
        counts[word] += 1
        everything += blob.size
        done += blob.size if word != "waiting" else 0
        if word in {"quarantined", "unreadable"}:
            reasons[blob.pk] = blob.quarantine_reason or _last_detail(blob)
    running = VerificationRun.objects.filter(result=Result.RUNNING, blob__in=blobs.values("pk"))
    done += (
        running.aggregate(read=models.Sum(models.F("started_from") + models.F("bytes_read")))[
            "read"
        ]
        or 0
    )
    failures = _failures(ids, reasons) + _refused_names(ids, reasons)
    return Standing(counts, done, everything, failures)


def _word(blob: Blob) -> str:
    if blob.check_due_at is not None and 0 < TRIES <= blob.attempts:
        return "unreadable"
    if blob.check_due_at is not None or blob.state in UNVERIFIED or blob.inspect_due_at is not None:
        return "waiting"
    return "quarantined" if blob.state == Blob.State.QUARANTINED else "verified"


def _last_detail(blob: Blob) -> str:
    last = blob.runs.exclude(detail="").first()
    return last.detail if last else ""


def _failures(revision_ids: list[int], reasons: dict[int, str]) -> list[tuple[str, str]]:
    files = File.objects.filter(revision__in=revision_ids, blob__in=reasons)
    named = files.select_related("revision__checkpoint").order_by("revision", "path")
    return [
        (f"{file.revision.checkpoint.repo_id}/{file.path}", reasons[file.blob_id]) for file in named
    ]


def _refused_names(revision_ids: list[int], told: dict[int, str]) -> list[tuple[str, str]]:
    """Files that are refused as what their names say, though their bytes are given elsewhere."""
    refusing = Inspection.objects.refusing().filter(blob__files__revision__in=revision_ids)
    reasons = {
        (one.blob_id, one.family): one.refusal for one in refusing.exclude(blob__in=told).distinct()
    }
    if not reasons:
        return []
    files = File.objects.filter(
        revision__in=revision_ids, blob__in={blob_id for blob_id, _ in reasons}
    )
    found = []
    for file in files.select_related("revision__checkpoint").order_by("revision", "path"):
        reason = reasons.get((file.blob_id, family(file.path)))
        if reason:
            found.append((f"{file.revision.checkpoint.repo_id}/{file.path}", reason))
    return found


def revisions_to_verify(checkpoint: Checkpoint | None) -> "models.QuerySet[Revision]":
    """What is visible or on its way, of one checkpoint or of all.

    A failed revision counts until a later one of its branch took its place.
    """
    revisions = Revision.objects.exclude(state=Revision.State.WITHDRAWN)
    if checkpoint is not None:
        revisions = revisions.filter(checkpoint=checkpoint)
    later = Revision.objects.visible().filter(
        checkpoint=models.OuterRef("checkpoint"),
        branch=models.OuterRef("branch"),
        pk__gt=models.OuterRef("pk"),
    )
    return revisions.exclude(models.Exists(later), state=Revision.State.FAILED)
