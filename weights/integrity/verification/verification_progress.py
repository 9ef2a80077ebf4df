"""Progress of checks, for pages and commands."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import models
from django.db.models.functions import Coalesce

from weights.catalogue.models import Checkpoint
from weights.inspection.families import family_of
from weights.inspection.models import Inspection
from weights.integrity.models import VerificationRun
from weights.integrity.verification.outcomes import TRIES
from weights.publishing.models import File, Revision
from weights.storage.models import UNVERIFIED, Blob

Result = VerificationRun.Result
#: Consecutive interrupted checks after which the health page lists the blob.
INTERRUPTIONS = 3


@dataclass(frozen=True)
class VerificationProgress:
    """Progress of the checks of given revisions; sizes in bytes, failures as (file, reason)."""

    counts: dict[str, int]
    bytes_done: int
    bytes_all: int
    failures: list[tuple[str, str]]

    @property
    def waiting(self) -> int:
        """Blobs whose check has no result yet."""
        return self.counts["waiting"]


@dataclass(frozen=True)
class ReadProgress:
    """Bytes of one blob read so far, and its total bytes."""

    done: int
    all: int

    @property
    def percent(self) -> int:
        return 100 * self.done // self.all if self.all else 100


def progress_of(blob: Blob) -> ReadProgress | None:
    """The progress of the running check, or None."""
    run = blob.runs.filter(result=Result.RUNNING).first()
    return ReadProgress(run.bytes_read, blob.size) if run else None


def interrupted_blobs() -> dict[str, int]:
    """Blobs whose last INTERRUPTIONS checks or more were stopped or killed: SHA-256 -> number.

    Each of these checks started over at the first byte.
    """
    runs = VerificationRun.objects.filter(blob__held=False).order_by()
    ended = runs.filter(blob=models.OuterRef("blob")).exclude(
        result__in=[Result.RUNNING, Result.ABANDONED]
    )
    last = models.Subquery(ended.order_by("-pk").values("pk")[:1])
    interrupted = runs.filter(result=Result.ABANDONED, pk__gt=Coalesce(last, 0))
    counts = interrupted.values_list("blob__sha256").annotate(count=models.Count("pk"))
    return dict(counts.filter(count__gte=INTERRUPTIONS))


def progress_of_revisions(revisions: Iterable[Revision]) -> VerificationProgress:
    """Count the blobs of these revisions by result, and list the failures."""
    ids = [revision.pk for revision in revisions]
    blobs = Blob.objects.filter(files__revision__in=ids).distinct()
    counts = {"verified": 0, "quarantined": 0, "unreadable": 0, "waiting": 0}
    done = everything = 0
    reasons: dict[int, str] = {}
    for blob in blobs:
        result = _result(blob)
        counts[result] += 1
        everything += blob.size
        done += blob.size if result != "waiting" else 0
        if result in {"quarantined", "unreadable"}:
            reasons[blob.pk] = blob.quarantine_reason or _last_detail(blob)
    running = VerificationRun.objects.filter(result=Result.RUNNING, blob__in=blobs.values("pk"))
    done += running.aggregate(read=models.Sum("bytes_read"))["read"] or 0
    failures = _failures(ids, reasons) + _refused_names(ids, reasons)
    # Several revisions may have the same file, so remove duplicates.
    return VerificationProgress(counts, done, everything, list(dict.fromkeys(failures)))


def _result(blob: Blob) -> str:
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
    ordered = files.select_related("revision__checkpoint").order_by("revision", "path")
    return [(_address(file), reasons[file.blob_id]) for file in ordered]


def _refused_names(revision_ids: list[int], failed: dict[int, str]) -> list[tuple[str, str]]:
    """Files with refused names whose bytes may be served under other names."""
    refusing = Inspection.objects.refusing().filter(blob__files__revision__in=revision_ids)
    reasons = {
        (one.blob_id, one.family): one.refusal
        for one in refusing.exclude(blob__in=failed).distinct()
    }
    if not reasons:
        return []
    files = File.objects.filter(
        revision__in=revision_ids, blob__in={blob_id for blob_id, _ in reasons}
    )
    return [
        (_address(file), reasons[file.blob_id, family_of(file.path)])
        for file in files.select_related("revision__checkpoint").order_by("revision", "path")
        if (file.blob_id, family_of(file.path)) in reasons
    ]


def _address(file: File) -> str:
    return f"{file.revision.checkpoint.repo_id}/{file.path}"


def revisions_to_verify(checkpoint: Checkpoint | None) -> "models.QuerySet[Revision]":
    """Visible, pending and failed revisions, of one checkpoint or of all.

    Leaves out a failed revision once a later one of its branch is visible.
    """
    revisions = Revision.objects.exclude(state__in=[Revision.State.WITHDRAWN, Revision.State.DRAFT])
    if checkpoint is not None:
        revisions = revisions.filter(checkpoint=checkpoint)
    later = Revision.objects.visible().filter(
        checkpoint=models.OuterRef("checkpoint"),
        branch=models.OuterRef("branch"),
        pk__gt=models.OuterRef("pk"),
    )
    return revisions.exclude(models.Exists(later), state=Revision.State.FAILED)
