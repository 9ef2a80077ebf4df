"""Bring a portal back from a backup, into an empty install.

Everything that can be refused is refused before a thing is touched. Then come the keys, the
database in one step, what a newer version adds to it, and the blobs one by one; each is left
alone where it stands already, so the same again goes on wherever a run was broken off.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from accounts.audit.models import AuditEvent
from portal.backup import (
    checks,
    keys,
    layout,
    postgres,
    preflight,
    restore_blobs,
    restore_marker,
    sqlite,
)
from portal.backup.keys import Placed
from portal.backup.layout import Statement
from portal.backup.progress import Bar
from portal.backup.restore_blobs import Source
from portal.backup.restore_marker import Mark
from portal.errors import BackupError
from portal.supervisor import install_lock
from weights.storage import blob_storage

VENDORS = {"postgresql": postgres, "sqlite": sqlite}


@dataclass(frozen=True)
class Wish:
    """How to restore; `blobs` is where they are if not where the backup says."""

    blobs: str = ""
    without_blobs: bool = False
    #: Restore what is left of a backup that lacks some of its blobs.
    incomplete: bool = False
    #: Read so many blobs at the end instead of all.
    sample: int | None = None


@dataclass
class Restored:
    """A portal that is back; `failed` names what its checks found wrong."""

    taken_at: str
    keys: list[Placed] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Tell:
    """Where lines go, and a bar for so many bytes of what is named."""

    say: Callable[[str], None]
    bar: Bar


def restore(folder: Path, wish: Wish, tell: Tell) -> Restored:
    """Raises BackupError, QuickstartError, and what database and stores raise."""
    with alone():
        statement = layout.read(folder)
        tell.say(
            f"backup: {statement.server}, taken {statement.taken_at}, every file as it was written"
        )
        _demand_vendor(statement)
        found = Mark(layout.identity(folder), statement.taken_at)
        goes_on = _goes_on(found)
        places = keys.places(folder / layout.KEYS)
        source = restore_blobs.source(folder, statement, wish.blobs, without=wish.without_blobs)
        if source is not None:
            restore_blobs.demand_fit(
                source, tell.bar, unread=not goes_on, incomplete=wish.incomplete
            )

        restored = Restored(statement.taken_at, keys.put_back(places))
        for placed in restored.keys:
            tell.say(f"keys: {placed.name} {placed.outcome}")
        _restore_database(folder / statement.database, statement, found, goes_on, tell)
        restored.failed = _finish(source, wish, tell)
        return restored


@contextmanager
def alone() -> Iterator[None]:
    """Keep the portal of an embedded install from running meanwhile."""
    if hasattr(settings, "EMBEDDED_BROKER"):
        with install_lock.held(settings.DATA_DIR):
            yield
    else:
        yield


# -- what is refused ------------------------------------------------------------------------


def _demand_vendor(statement: Statement) -> None:
    if statement.vendor == connection.vendor:
        return
    here = "PostgreSQL" if connection.vendor == "postgresql" else "SQLite"
    remedy = (
        "set DATABASE_URL=postgres://… to an empty database"
        if statement.vendor == "postgresql"
        else "restore with DATABASE_URL=sqlite:////path/to/new.sqlite3, then run manage.py"
        " move_database postgres://… (docs/operating.md)"
    )
    raise BackupError(
        f"the backup is of {statement.server}, and the database of DATABASE_URL is {here}; {remedy}"
    )


def _goes_on(wanted: Mark) -> bool:
    """Whether this backup's database stands here already. Raises BackupError for another's."""
    known, contents = restore_marker.found(), preflight.contents()
    if known is not None and known.backup == wanted.backup:
        return known.whole or bool(contents)
    if contents:
        of = f", restored from the backup of {known.taken_at}" if known else ""
        raise BackupError(
            f"the database is not empty ({contents}{of}); {_remedy()}, then run the same again"
        )
    preflight.demand_ours()
    return False


def _remedy() -> str:
    name = connection.settings_dict["NAME"]
    if connection.vendor == "postgresql":
        return "make an empty one (createdb) and name it as DATABASE_URL"
    return f"move {name} away, or name another as DATABASE_URL"


# -- what is done ---------------------------------------------------------------------------


def _restore_database(
    dump: Path, statement: Statement, wanted: Mark, goes_on: bool, tell: Tell
) -> None:
    if goes_on:
        tell.say("database: restored before")
    else:
        VENDORS[statement.vendor].restore(dump, wanted)
        tell.say("database: restored")
    checks.bring_up(tell.say)
    with transaction.atomic():
        if restore_marker.claim_record():
            details = {"taken_at": statement.taken_at, "backup": wanted.backup}
            AuditEvent.record("portal.restored", details=details)


def _finish(source: Source | None, wish: Wish, tell: Tell) -> list[str]:
    """Blobs and checks; what was found wrong."""
    failed = []
    if source is not None:
        failed += restore_blobs.copy(source, tell.say, tell.bar)
        restore_blobs.forget_marks()
    failed += checks.audit(tell.say)
    proof = restore_blobs.prove(blob_storage(), tell.say, tell.bar, sample=wish.sample)
    restore_blobs.take_marks(proof, blob_storage())
    if proof.faults:
        failed.append("the manifests")
    return failed
