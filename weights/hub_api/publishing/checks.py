"""Waits for the verification of a commit's files, so that a client can use them right away."""

import time

from weights.errors import CommitRefused
from weights.publishing.models import File, Revision
from weights.storage.models import Blob

#: Seconds. Clients make smaller commits after one that took 40.
MOST_SECONDS = 20.0
_POLL = 0.5


def await_checks(revision: Revision) -> None:
    """Returns once the files that the commit added are verified, or after MOST_SECONDS.

    Raises CommitRefused if one of them failed; the draft remains, for its owners to correct.
    """
    deadline = time.monotonic() + MOST_SECONDS
    files = File.objects.filter(revision=revision).order_by()
    if revision.parent_id is not None:
        before = File.objects.filter(revision=revision.parent_id)
        files = files.exclude(blob__in=before.values("blob"))
    unverified = files.exclude(blob__state=Blob.State.VERIFIED)
    while states := set(unverified.values_list("blob__state", flat=True)):
        if Blob.State.QUARANTINED in states:
            failed = files.filter(blob__state=Blob.State.QUARANTINED).select_related("blob")[0]
            reason = failed.blob.quarantine_reason.rstrip(".")
            raise CommitRefused(
                f"{failed.path} failed its check: {reason}. The commit is saved as the draft"
                f" {revision.sha[:12]}; replace or delete the file in another commit"
            )
        if time.monotonic() > deadline:
            return
        time.sleep(_POLL)
