"""Which blobs are sent to the workers, and when again."""

from datetime import timedelta

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from accounts.background.periodic import ready
from accounts.background.queueing import queue_now
from weights.catalogue.models import Checkpoint
from weights.inspection.formats.verdict import VERSION
from weights.inspection.models import Inspection
from weights.integrity.models import HashProgress
from weights.integrity.verification.inspecting import allowed_mark, not_looked_at, unseen_of
from weights.integrity.verification.publication import settle_each
from weights.publishing.models import File, Revision
from weights.storage.models import Blob

#: A queued blob is queued again after this, should its message be lost.
QUEUED_FOR = timedelta(seconds=settings.VERIFICATION_QUEUED)
QUEUED_AT_ONCE = 500


def queue_after_commit(revision: Revision) -> None:
    """Queue what is to be checked of a revision, the largest first, once it is recorded."""
    transaction.on_commit(lambda: _queue_of(revision))


def _queue_of(revision: Revision) -> None:
    blobs = Blob.objects.filter(files__revision=revision).distinct()
    queue(blobs.unverified())
    unseen = Blob.objects.filter(pk__in=unseen_of(revision), state=Blob.State.VERIFIED)
    unseen.filter(inspect_due_at=None).update(inspect_due_at=timezone.now())
    _queue_inspections(blobs.due_for_inspection(timezone.now()))


def ask_again(blobs: "models.QuerySet[Blob]") -> None:
    """Queue a fresh check of these blobs, whatever is known of them."""
    now = timezone.now()
    HashProgress.objects.filter(blob__in=blobs.values("pk")).delete()
    Blob.objects.filter(pk__in=blobs.values("pk")).update(check_due_at=now, attempts=0)
    queue(blobs)


def claim_fresh_check(blob_id: int) -> bool:
    """Ask for a fresh check of an idle blob without queueing it: who asks will do it now.

    Should that fail, the sweep has it done. False if it was asked for already.
    """
    now = timezone.now()
    idle = Blob.objects.idle(now).filter(pk=blob_id)
    return bool(idle.update(check_due_at=now + QUEUED_FOR, attempts=0))


def queue(blobs: "models.QuerySet[Blob]") -> int:
    """Send blobs to the workers; the number sent. Without a broker they wait for the sweep."""
    sent: list[int] = []
    for blob_id in blobs.order_by("-size", "pk").values_list("pk", flat=True):
        if not queue_now("weights.verify_blob", blob_id):
            break
        sent.append(blob_id)
    _note_queued(sent)
    return len(sent)


def _note_queued(blob_ids: list[int]) -> None:
    """Keep the sweep from sending these again soon; a check that is done already stays done."""
    again = timezone.now() + QUEUED_FOR
    for start in range(0, len(blob_ids), QUEUED_AT_ONCE):
        batch = blob_ids[start : start + QUEUED_AT_ONCE]
        Blob.objects.awaiting_result().filter(pk__in=batch).update(check_due_at=again)


def sweep() -> None:
    """Queue what is due or was lost, and settle revisions whose blobs are all good."""
    due = Blob.objects.due_for_check(timezone.now()).order_by("-size", "pk")
    blob_ids = list(due.values_list("pk", flat=True)[:QUEUED_AT_ONCE])
    queue(Blob.objects.filter(pk__in=blob_ids))
    _queue_inspections(Blob.objects.due_for_inspection(timezone.now()))
    settle_each(Revision.objects.awaiting_verification())


def _queue_inspections(blobs: "models.QuerySet[Blob]") -> None:
    """Send blobs to be looked at; as with `queue`, they are not sent again soon."""
    sent: list[int] = []
    blobs = ready("weights.inspect_blob", blobs)
    for blob_id in blobs.order_by("pk").values_list("pk", flat=True)[:QUEUED_AT_ONCE]:
        if not queue_now("weights.inspect_blob", blob_id):
            break
        sent.append(blob_id)
    again = timezone.now() + QUEUED_FOR
    Blob.objects.awaiting_inspection().filter(pk__in=sent).update(inspect_due_at=again)


def ask_outdated_again() -> int:
    """Have every result looked at anew that older rules made; the number of blobs asked for."""
    rows = Inspection.objects.outdated(VERSION, allowed_mark())
    refused = Inspection.objects.filter(outcome=Inspection.Outcome.REFUSED).values("blob")
    good = models.Q(state=Blob.State.VERIFIED)
    closed = models.Q(state=Blob.State.QUARANTINED, held=False, pk__in=refused)
    blobs = Blob.objects.filter(good | closed, pk__in=rows.values("blob"), inspect_due_at=None)
    return blobs.update(inspect_due_at=timezone.now())


def inspect_strictly(checkpoints: "models.QuerySet[Checkpoint]") -> int:
    """Have files looked at that present rules have not, where the tier takes inspected ones only.

    Call it in the transaction that moves a checkpoint into such a tier, and now and then for
    tiers that became so. They are asked for at once and sent after commit; the number of blobs.
    """
    files = File.objects.filter(
        revision__checkpoint__in=checkpoints.filter(tier__inspected_only=True),
        revision__state__in=[Revision.State.PENDING, Revision.State.VISIBLE],
    )
    wanted = set(not_looked_at(files).values())
    blobs = Blob.objects.filter(pk__in=wanted, state=Blob.State.VERIFIED, inspect_due_at=None)
    ids = list(blobs.values_list("pk", flat=True))
    Blob.objects.filter(pk__in=ids).update(inspect_due_at=timezone.now())
    transaction.on_commit(lambda: _queue_inspections(Blob.objects.filter(pk__in=ids)))
    return len(ids)


def begin_again(sha256: str) -> None:
    """Good bytes were put in the place of lost or bad ones: they are to be proved anew.

    Whatever version was verified before is bound no longer: the newest one is read.
    """
    Blob.objects.filter(sha256=sha256, held=False).update(
        state=Blob.State.UPLOADED,
        quarantine_reason="",
        version="",
        mark="",
        version_in="",
        leased_until=None,
        attempts=0,
        check_due_at=timezone.now(),
    )
