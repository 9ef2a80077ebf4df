"""Re-read every blob from the store and inspect its format; a revision is visible once all passed.

The rows are the memory. A blob is due while its check has no result; a worker leases the
row, and its result counts only while the lease is its own. So a check may be queued twice,
run late or be killed at any instant, and the end is the same.
"""

from weights.integrity.verification.checking import inspect, verify
from weights.integrity.verification.outcomes import fail_revisions
from weights.integrity.verification.publication import settle
from weights.integrity.verification.queueing import (
    ask_again,
    ask_outdated_again,
    begin_again,
    claim_fresh_check,
    inspect_strictly,
    queue,
    queue_after_commit,
    sweep,
)
from weights.integrity.verification.verification_progress import (
    Progress,
    Standing,
    progress_of,
    revisions_to_verify,
    standing,
)

__all__ = [
    "Progress",
    "Standing",
    "ask_again",
    "ask_outdated_again",
    "begin_again",
    "claim_fresh_check",
    "fail_revisions",
    "inspect",
    "inspect_strictly",
    "progress_of",
    "queue",
    "queue_after_commit",
    "revisions_to_verify",
    "settle",
    "standing",
    "sweep",
    "verify",
]
