"""Queues blobs for verification and inspection, and retries."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from accounts.background.batches import batches
from accounts.background.periodic import ready
from accounts.background.queueing import queue_now
from weights.catalogue.models import Checkpoint
from weights.inspection.formats.verdict import VERSION
from weights.inspection.models import Inspection
from weights.integrity.verification.inspect_blob import allowed_imports_mark, uninspected_files
from weights.integrity.verification.make_visible import settle_each
from weights.integrity.verification.refusals import uninspected_blobs
from weights.publishing.models import File, Revision
from weights.storage.models import Blob
from weights.task_names import WeightsTask

#: Time after which a blob is queued again, in case its message was lost.
QUEUE_AGAIN = timedelta(seconds=settings.VERIFICATION_QUEUED)
BATCH = 500
#: Maximum bytes of a small blob, and maximum small blobs in one message.
SMALL, TOGETHER = 2 * 1024 * 1024, 48


def queue_after_commit(revision: Revision) -> None:
    """Queue the blobs of a revision, largest first, once the transaction has committed."""
    transaction.on_commit(lambda: _queue_blobs_of(revision))


def _queue_blobs_of(revision: Revision) -> None:
    blobs = Blob.objects.filter(files__revision=revision).distinct()
    queue(blobs.unverified())
    verified = Blob.objects.filter(state=Blob.State.VERIFIED, inspect_due_at=None)
    verified.filter(pk__in=uninspected_blobs(revision)).update(inspect_due_at=timezone.now())
    _queue_inspections(blobs.due_for_inspection(timezone.now()))


def recheck(blobs: "models.QuerySet[Blob]") -> None:
    """Queue a new check of these blobs, whatever the last result."""
    now = timezone.now()
    Blob.objects.filter(pk__in=blobs.values("pk")).update(check_due_at=now, attempts=0)
    queue(blobs)


def claim_fresh_check(blob: Blob) -> bool:
    """Reserve an idle blob for a new check by the caller.

    If the caller fails, the sweep queues the check. Returns False if the blob is not idle or if
    another worker has checked it since `blob` was loaded.
    """
    now = timezone.now()
    unchanged = {"state": blob.state, "last_verified_at": blob.last_verified_at}
    idle = Blob.objects.idle(now).filter(pk=blob.pk, **unchanged)
    return bool(idle.update(check_due_at=now + QUEUE_AGAIN, attempts=0))


def queue(blobs: "models.QuerySet[Blob]") -> None:
    """Send blobs to the workers, largest first. Without a broker they wait for the sweep."""
    rows = blobs.order_by("-size", "pk").values_list("pk", "size")
    sent = _send(WeightsTask.VERIFY_BLOB, _batches(rows))
    again = timezone.now() + QUEUE_AGAIN
    for batch in batches(sent, BATCH):
        # Do not reschedule checks that have ended in the meantime.
        Blob.objects.awaiting_result().filter(pk__in=batch).update(check_due_at=again)


def _batches(rows: "Iterable[tuple[int, int]]") -> Iterator[list[int]]:
    """Batches of ids from rows (id, size): large blobs alone, small ones together."""
    batch: list[int] = []
    for pk, size in rows:
        if size > SMALL:
            yield [pk]
            continue
        batch.append(pk)
        if len(batch) == TOGETHER:
            yield batch
            batch = []
    if batch:
        yield batch


def make_unverified_due() -> None:
    """Let the next sweep queue every unverified blob, since a worker may have lost its messages."""
    now = timezone.now()
    Blob.objects.unverified().filter(check_due_at__gt=now).update(check_due_at=now)


def _queue_inspections(blobs: "models.QuerySet[Blob]") -> None:
    """Send a batch of blobs to be inspected. Without a broker they wait for the sweep."""
    blobs = ready(WeightsTask.INSPECT_BLOB, blobs).order_by("pk")[:BATCH]
    ids = blobs.values_list("pk", flat=True)
    sent = _send(WeightsTask.INSPECT_BLOB, ([pk] for pk in ids))
    again = timezone.now() + QUEUE_AGAIN
    Blob.objects.awaiting_inspection().filter(pk__in=sent).update(inspect_due_at=again)


def _send(task: WeightsTask, batches: Iterable[list[int]]) -> list[int]:
    """Queue `task` for each batch of ids; returns the ids sent before the broker failed."""
    sent: list[int] = []
    for ids in batches:
        if not queue_now(task, *ids):
            break
        sent += ids
    return sent


def sweep() -> None:
    """Queue checks that are due or were lost, and settle revisions that await verification."""
    due = Blob.objects.due_for_check(timezone.now()).order_by("-size", "pk")
    queue(Blob.objects.filter(pk__in=list(due.values_list("pk", flat=True)[:BATCH])))
    _queue_inspections(Blob.objects.due_for_inspection(timezone.now()))
    settle_each(Revision.objects.awaiting_verification())


def reinspect_outdated() -> int:
    """Request an inspection of each blob with an outdated verdict; returns their number."""
    outdated = Inspection.objects.outdated(VERSION, allowed_imports_mark())
    refused = Inspection.objects.filter(outcome=Inspection.Outcome.REFUSED).values("blob")
    verified = models.Q(state=Blob.State.VERIFIED)
    refused_alone = models.Q(state=Blob.State.QUARANTINED, held=False, pk__in=refused)
    blobs = Blob.objects.filter(verified | refused_alone, pk__in=outdated.values("blob"))
    return blobs.filter(inspect_due_at=None).update(inspect_due_at=timezone.now())


def inspect_strictly(checkpoints: "models.QuerySet[Checkpoint]") -> int:
    """Request an inspection of uninspected files in tiers that require inspected files.

    Call it in the transaction that moves a checkpoint into such a tier, and periodically for tiers
    that become strict. Messages are sent after commit. Returns the number of blobs.
    """
    files = File.objects.filter(
        revision__checkpoint__in=checkpoints.filter(tier__inspected_only=True),
        revision__state__in=[Revision.State.PENDING, Revision.State.VISIBLE],
    )
    wanted = set(uninspected_files(files).values())
    blobs = Blob.objects.filter(pk__in=wanted, state=Blob.State.VERIFIED, inspect_due_at=None)
    ids = list(blobs.values_list("pk", flat=True))
    Blob.objects.filter(pk__in=ids).update(inspect_due_at=timezone.now())
    transaction.on_commit(lambda: _queue_inspections(Blob.objects.filter(pk__in=ids)))
    return len(ids)


def verify_replaced(sha256: str) -> None:
    """Request a first check of a blob whose lost or bad bytes were replaced.

    The check reads the newest version; the version verified before is discarded.
    """
    for blob in Blob.objects.filter(sha256=sha256, held=False):
        blob.transition(
            "replace",
            quarantine_reason="",
            version="",
            mark="",
            version_in="",
            leased_until=None,
            attempts=0,
            check_due_at=timezone.now(),
        )
