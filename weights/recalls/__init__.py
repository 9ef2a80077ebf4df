"""Call back what was given out: open a recall, tell who fetched it, note that it is repaired.

A recall is opened in the transaction that closes the bytes, and closed in the one that brings
good ones. Mails are written afterwards by a task, a batch a transaction.
"""

from weights.recalls.opening import call_back_revision, open_by_check, open_by_owner
from weights.recalls.repair import proved_good, replaced_by
from weights.recalls.telling import sweep, tell

__all__ = [
    "call_back_revision",
    "open_by_check",
    "open_by_owner",
    "proved_good",
    "replaced_by",
    "sweep",
    "tell",
]
