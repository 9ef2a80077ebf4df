"""Compare a backup, and then the restored trail, with the heads at AUDIT_HEAD_COPY.

The signature of an old backup is valid too; only a head from outside shows what it lacks.
"""

from django.conf import settings

from accounts.audit.merkle_log import copies, rollback
from portal.backup.layout import Index
from portal.databases.checks import Say
from portal.errors import BackupError


def refuse_rollback(index: Index, *, accept: bool) -> None:
    """Refuse a backup from before the newest copied head, unless `accept`. Raises BackupError."""
    try:
        copied = copies.read()
    except OSError as error:
        raise BackupError(
            f"AUDIT_HEAD_COPY cannot be read, so nothing shows whether this backup is the newest"
            f" state ({error}); make it readable, or unset it, then run the same command again"
        ) from error
    sealed = index.sealed_rows
    if accept or sealed is None or not copied or copied[-1].size <= sealed:
        return
    raise BackupError(
        f"this backup is a rollback: it has {sealed} sealed rows, and {settings.AUDIT_HEAD_COPY}"
        f" has {rollback.describe(copied[-1])}; restore a newer backup, or if there is none, add"
        " --accept-rollback, which goes on record"
    )


def compare(say: Say, *, accept: bool) -> list[str]:
    """Compare the restored trail with every copied head; returns what failed.

    With `accept`, lost heads are recorded as lost; otherwise workers sign no new heads.
    """
    if not settings.AUDIT_HEAD_COPY:
        say("copied heads: none to compare with, since AUDIT_HEAD_COPY is not set")
        return []
    lost = rollback.accept() if accept else rollback.lost_heads()
    for note in lost:
        say(f"copied heads: {'accepted as lost' if accept else 'LOST'}: {rollback.describe(note)}")
    if not lost:
        say("copied heads: the trail extends all of them")
    return [] if accept or not lost else ["heads that it lost (--accept-rollback)"]
