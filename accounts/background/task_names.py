"""The names of Celery tasks: their grammar, and those of accounts."""

from enum import StrEnum


class TaskName(StrEnum):
    """`<app>.<function or subject>`. Queued messages contain these values, so none may change.

    Each app has its own subclass.
    """


class AccountsTask(TaskName):
    DELIVER_MAIL = "accounts.deliver_mail"
    SWEEP = "accounts.sweep"
    CLOCKS = "accounts.clocks"
    HEADS = "accounts.heads"
    VERIFY_AUDIT = "accounts.verify_audit"
    PROFILES = "accounts.profiles"
