"""Note that what was called back is good again, in the transaction that brings it about."""

from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.background.queueing import queue_after_commit
from weights.publishing.models import File, Ref, Revision
from weights.recalls import affected
from weights.recalls.models import Recall
from weights.recalls.opening import TASK
from weights.storage.models import Blob


def proved_good(blob: Blob) -> None:
    """The same bytes were read back whole: good ones were put in their place, or lifted."""
    for recall in Recall.objects.open().filter(blob=blob):
        _close(recall, None)


def replaced_by(revision: Revision) -> None:
    """A revision has become visible: what it brings other bytes for is repaired."""
    of_bytes = Recall.objects.open().filter(
        blob__files__revision__checkpoint=revision.checkpoint_id
    )
    for recall in of_bytes.distinct():
        if not _stands_on_a_branch(recall) and affected.now_at(recall):
            _close(recall, revision)
    withdrawn = Recall.objects.open().filter(
        revision__checkpoint=revision.checkpoint_id,
        revision__branch=revision.branch,
        revision__lt=revision.pk,
    )
    for recall in withdrawn:
        _close(recall, revision)


def _stands_on_a_branch(recall: Recall) -> bool:
    heads = Ref.objects.filter(kind=Ref.Kind.BRANCH, revision__state=Revision.State.VISIBLE)
    return File.objects.filter(blob=recall.blob_id, revision__refs__in=heads).exists()


def _close(recall: Recall, repaired_in: Revision | None) -> None:
    """One of two who repair it at once wins; the mails begin anew, with the new state."""
    closed = Recall.objects.open().filter(pk=recall.pk)
    facts = {"repaired_at": timezone.now(), "repaired_in": repaired_in}
    if closed.update(state=Recall.State.REPAIRED, told_to=0, told_at=None, **facts):
        details = {"revision": repaired_in.sha} if repaired_in else {}
        AuditEvent.record("recall.repaired", target=recall, details=details)
        queue_after_commit(TASK, recall.pk)
