"""Closes recalls, in the transaction that provides good bytes."""

from collections.abc import Collection

from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.background.queueing import queue_after_commit
from weights.event_tags import WeightsEvent
from weights.publishing.models import File, Ref, Revision
from weights.recalls import affected
from weights.recalls.models import Recall
from weights.storage.models import Blob
from weights.task_names import WeightsTask


def close_restored(blobs: Collection[Blob]) -> None:
    """Closes the recalls of blobs that a check has found good again."""
    for recall in Recall.objects.open().filter(blob__in=blobs):
        _close(recall, None)


def close_replaced(revision: Revision) -> None:
    """Closes the recalls of bytes and revisions that a newly visible revision replaces."""
    of_blobs = Recall.objects.open().filter(
        blob__files__revision__checkpoint=revision.checkpoint_id
    )
    for recall in of_blobs.distinct():
        if not _is_on_a_branch(recall) and affected.replacements(recall):
            _close(recall, revision)
    withdrawn = Recall.objects.open().filter(
        revision__checkpoint=revision.checkpoint_id,
        revision__branch=revision.branch,
        revision__lt=revision.pk,
    )
    for recall in withdrawn:
        _close(recall, revision)


def _is_on_a_branch(recall: Recall) -> bool:
    heads = Ref.objects.filter(kind=Ref.Kind.BRANCH, revision__state=Revision.State.VISIBLE)
    return File.objects.filter(blob=recall.blob_id, revision__refs__in=heads).exists()


def _close(recall: Recall, repaired_in: Revision | None) -> None:
    """Closes an open recall, once, and restarts its mails with the new state."""
    open_recall = Recall.objects.open().filter(pk=recall.pk)
    fields = {"repaired_at": timezone.now(), "repaired_in": repaired_in}
    if open_recall.update(state=Recall.State.REPAIRED, told_to=0, told_at=None, **fields):
        details = {"revision": repaired_in.sha} if repaired_in else {}
        AuditEvent.record(WeightsEvent.RECALL_REPAIRED, target=recall, details=details)
        queue_after_commit(WeightsTask.TELL_RECALL, recall.pk)
