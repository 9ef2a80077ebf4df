"""Opens recalls, in the transaction of their cause."""

from typing import Any

from accounts.audit.models import AuditEvent
from accounts.background.queueing import queue_after_commit
from accounts.users.models import User
from weights.event_tags import WeightsEvent
from weights.publishing.models import Revision
from weights.recalls.models import Recall
from weights.storage.models import Blob
from weights.task_names import WeightsTask


def open_by_check(blob: Blob, reason: str) -> Recall:
    """Opens a recall after a check found that verified bytes have changed."""
    return _open(Recall.Cause.CHECK, reason, None, blob=blob)


def open_by_owner(blob: Blob, reason: str, *, by: User | None) -> Recall:
    """Opens a recall of a blob that its publisher has put into quarantine."""
    return _open(Recall.Cause.OWNER, reason, by, blob=blob)


def open_by_withdrawal(revision: Revision, reason: str, *, by: User | None) -> Recall:
    """Opens a recall of a withdrawn revision, if its publisher wants its users notified."""
    return _open(Recall.Cause.WITHDRAWAL, reason, by, revision=revision)


def _open(cause: Recall.Cause, reason: str, by: User | None, **subject: Any) -> Recall:
    """Gets or creates the open recall of this blob or revision, so that people are mailed once.

    The caller must hold a lock on the blob or revision, which prevents races.
    """
    recall, created = Recall.objects.get_or_create(
        **subject,
        state=Recall.State.OPEN,
        defaults={"cause": cause, "reason": reason[:500], "opened_by": by},
    )
    if created:
        details = {"cause": str(cause), "reason": reason[:500], "of": _subject(recall)}
        AuditEvent.record(WeightsEvent.RECALL_OPENED, actor=by, target=recall, details=details)
        queue_after_commit(WeightsTask.TELL_RECALL, recall.pk)
    return recall


def _subject(recall: Recall) -> str:
    if recall.blob is not None:
        return recall.blob.sha256
    assert recall.revision is not None
    return f"{recall.revision.checkpoint.repo_id}@{recall.revision.sha}"
