"""Recalls of files and revisions: open one, mail everybody who downloaded them, close it.

A recall is opened in the transaction that blocks the bytes, and closed in the one that provides
good bytes. A task then writes the mails, one batch per transaction.
"""

from weights.recalls.mailing import mail_people, sweep
from weights.recalls.opening import open_by_check, open_by_owner, open_by_withdrawal
from weights.recalls.repair import close_replaced, close_restored

__all__ = [
    "close_replaced",
    "close_restored",
    "mail_people",
    "open_by_check",
    "open_by_owner",
    "open_by_withdrawal",
    "sweep",
]
