"""The names of Celery tasks: their grammar, and those of accounts."""

from enum import StrEnum


class TaskName(StrEnum):
    """`<app>.<function or subject>`. Queues hold messages with these values: none changes.

    Each app has its own subclass.
    """


class AccountsTask(TaskName):
    DELIVER_MAIL = "accounts.deliver_mail"
    SWEEP = "accounts.sweep"
    CLOCKS = "accounts.clocks"
    HEADS = "accounts.heads"
    VERIFY_AUDIT = "accounts.verify_audit"
    PROFILES = "accounts.profiles"
