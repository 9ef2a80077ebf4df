"""Re-read every blob from the store; a revision is visible once all of its blobs proved good.

The rows are the memory. A blob is due while its check has no result; a worker leases the
row, and its result counts only while the lease is its own. So a check may be queued twice,
run late or be killed at any instant, and the end is the same.
"""

from weights.verification.checking import verify
from weights.verification.outcomes import fail_revisions
from weights.verification.queueing import (
    ask_again,
    begin_again,
    claim_fresh_check,
    queue,
    queue_after_commit,
    sweep,
)
from weights.verification.settling import settle
from weights.verification.standing import Standing, revisions_to_verify, standing

__all__ = [
    "Standing",
    "ask_again",
    "begin_again",
    "claim_fresh_check",
    "fail_revisions",
    "queue",
    "queue_after_commit",
    "revisions_to_verify",
    "settle",
    "standing",
    "sweep",
    "verify",
]
