"""Make a revision visible once all its blobs are verified and all its file names accepted."""

from django.db import models, transaction
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.background.periodic import each
from accounts.background.queueing import queue_after_commit
from weights import recalls
from weights.catalogue import file_facts
from weights.catalogue.models import Checkpoint
from weights.event_tags import WeightsEvent
from weights.integrity.verification.outcomes import fail
from weights.integrity.verification.refusals import Obstacle, obstacle
from weights.publishing import refs
from weights.publishing.models import Revision
from weights.storage.models import Blob
from weights.task_names import WeightsTask


def settle_each(revisions: "models.QuerySet[Revision]") -> None:
    """Settle these revisions; the health page shows any that fail to settle."""
    each("revisions settled", revisions, settle)


def settle(revision: Revision) -> bool:
    """Make a revision visible if all its files passed; returns True if it is now visible.

    A revision with a refused file fails. File names without an inspection are queued for one. A
    draft stays a draft.
    """
    if revision.state in {Revision.State.VISIBLE, Revision.State.DRAFT}:
        return revision.state == Revision.State.VISIBLE
    if revision.files.exclude(blob__state=Blob.State.VERIFIED).exists():
        return False
    found = obstacle(revision)
    if found is not None:
        _stop(revision, found)
        return False
    file_facts.read_revision(revision)
    return _show(revision)


@transaction.atomic
def _stop(revision: Revision, found: Obstacle) -> None:
    if found.reason:
        fail(revision, found.reason)
        revision.refresh_from_db(fields=["state", "state_reason"])
        return
    uninspected = Blob.objects.filter(pk__in=found.uninspected, inspect_due_at=None)
    uninspected.update(inspect_due_at=timezone.now())


@transaction.atomic
def _show(revision: Revision) -> bool:
    checkpoint = Checkpoint.objects.select_for_update().get(pk=revision.checkpoint_id)
    if not _lock_verified_blobs(revision):
        return False
    now = timezone.now()
    waiting = Revision.objects.awaiting_verification().filter(pk=revision.pk)
    if waiting.update(state=Revision.State.VISIBLE, state_reason="", visible_at=now):
        refs.set_refs(revision, branch=revision.branch, tag=revision.tag)
        refs.keep_drafts_hidden(revision)
        Checkpoint.objects.filter(pk=checkpoint.pk).update(
            published_at=Coalesce("published_at", now), updated_at=now
        )
        details = {"checkpoint": checkpoint.repo_id, "sha": revision.sha}
        AuditEvent.record(WeightsEvent.REVISION_VISIBLE, target=revision, details=details)
        recalls.close_replaced(revision)
        queue_after_commit(WeightsTask.SIGN_MANIFEST, revision.pk)
    revision.refresh_from_db(fields=["state", "state_reason", "visible_at"])
    return revision.state == Revision.State.VISIBLE


def _lock_verified_blobs(revision: Revision) -> bool:
    """Lock the blobs until the transaction ends; returns True if all are still verified.

    One may have been quarantined, suspended or refused since the first query.
    """
    used = revision.files.order_by().values("blob")
    blobs = Blob.objects.select_for_update().filter(pk__in=used).order_by("pk")
    return all(state == Blob.State.VERIFIED for state in blobs.values_list("state", flat=True))
