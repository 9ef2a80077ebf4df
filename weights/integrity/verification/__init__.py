"""Reads every new blob back from the store, inspects it, and makes verified revisions visible.

All state is in the database. A blob is due until its check has a result. A worker leases the row,
and its result counts only while it holds the lease. A check may therefore be queued twice, run
late or be killed at any time without changing the outcome.
"""

from weights.integrity.verification.check_batch import verify_batch
from weights.integrity.verification.check_blob import inspect, verify
from weights.integrity.verification.make_visible import settle
from weights.integrity.verification.outcomes import fail_revisions
from weights.integrity.verification.queueing import (
    claim_fresh_check,
    inspect_strictly,
    make_unverified_due,
    queue,
    queue_after_commit,
    recheck,
    reinspect_outdated,
    sweep,
    verify_replaced,
)
from weights.integrity.verification.verification_progress import (
    ReadProgress,
    VerificationProgress,
    interrupted_blobs,
    progress_of,
    progress_of_revisions,
    revisions_to_verify,
)

__all__ = [
    "ReadProgress",
    "VerificationProgress",
    "claim_fresh_check",
    "fail_revisions",
    "inspect",
    "inspect_strictly",
    "interrupted_blobs",
    "make_unverified_due",
    "progress_of",
    "progress_of_revisions",
    "queue",
    "queue_after_commit",
    "recheck",
    "reinspect_outdated",
    "revisions_to_verify",
    "settle",
    "sweep",
    "verify",
    "verify_batch",
    "verify_replaced",
]
