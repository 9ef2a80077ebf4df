"""Open a recall, in the transaction of what makes it needed."""

from typing import Any

from accounts.audit.models import AuditEvent
from accounts.background.queueing import queue_after_commit
from accounts.users.models import User
from weights.publishing.models import Revision
from weights.recalls.models import Recall
from weights.storage.models import Blob

TASK = "weights.tell_recall"


def open_by_check(blob: Blob, reason: str) -> Recall:
    """A check found that bytes which had been verified are no longer what they were."""
    return _open(Recall.Cause.CHECK, reason, None, blob=blob)


def open_by_owner(blob: Blob, reason: str, *, by: User | None) -> Recall:
    """Its publisher calls bytes back, which are held in quarantine by then."""
    return _open(Recall.Cause.OWNER, reason, by, blob=blob)


def call_back_revision(revision: Revision, reason: str, *, by: User | None) -> Recall:
    """Its publisher withdrew a revision and wants everybody to hear of it who fetched it."""
    return _open(Recall.Cause.WITHDRAWAL, reason, by, revision=revision)


def _open(cause: Recall.Cause, reason: str, by: User | None, **what: Any) -> Recall:
    """The open recall of this, made now unless there is one: people are told once.

    The caller holds the lock of what is called back, so that two never race for it.
    """
    recall, made = Recall.objects.get_or_create(
        **what,
        state=Recall.State.OPEN,
        defaults={"cause": cause, "reason": reason[:500], "opened_by": by},
    )
    if made:
        details = {"cause": str(cause), "reason": reason[:500], "of": _named(recall)}
        AuditEvent.record("recall.opened", actor=by, target=recall, details=details)
        queue_after_commit(TASK, recall.pk)
    return recall


def _named(recall: Recall) -> str:
    if recall.blob is not None:
        return recall.blob.sha256
    assert recall.revision is not None
    return f"{recall.revision.checkpoint.repo_id}@{recall.revision.sha}"
