"""Move all rows to another database, and prove there that nothing was lost on the way.

A move that is broken off leaves the source as it was; the same again starts over.
"""

import os
import subprocess
import sys
from collections.abc import Callable

from django.conf import settings
from django.core.management.color import no_style
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, transaction

from portal.backup import checks, restore
from portal.database_move import rows, sequences, source, targets
from portal.database_move.targets import ALIAS, Target
from portal.errors import MoveError
from portal.supervisor.children import tie_to_parent
from weights.storage import blob_storage

Say = Callable[[str], None]


def move(url: str, say: Say, *, sample: int | None = None) -> None:
    """Raises MoveError, BackupError, QuickstartError, and what databases and stores raise.

    `sample` reads so many blobs for the proof of the manifests instead of all.
    """
    with restore.alone(), targets.opened(url) as target:
        source.demand_no_worker()
        with source.frozen():
            target.begin()
            _migrate(target)
            _copy(say)
            _prove(target, sample, say)
            target.put_to_use()


def _migrate(target: Target) -> None:
    """In a process of its own: data migrations know no database but that of the settings."""
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": target.url},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=tie_to_parent(),
    )
    if done.returncode:
        lines = done.stderr.split("\n")
        why = next((line for line in reversed(lines) if line.strip()), "no reason given")
        raise MoveError(f"the tables of the target cannot be made: {why.strip()}")


def _copy(say: Say) -> None:
    """All or nothing. Raises MoveError."""
    with transaction.atomic(using=ALIAS):
        _empty()
        for model in rows.tables():
            count = rows.copy_or_name(model, ALIAS)
            sequences.carry_over(model, DEFAULT_DB_ALIAS, ALIAS)
            say(f"{model._meta.db_table}: {count} rows")
        try:
            connections[ALIAS].check_constraints()
        except IntegrityError as error:
            why = " ".join(str(error).split())
            raise MoveError(f"a row of the source names one that is not there: {why}") from error


def _empty() -> None:
    """Remove what `migrate` wrote: the source has these rows with ids of its own."""
    target = connections[ALIAS]
    names = [model._meta.db_table for model in rows.tables()]
    with target.cursor() as cursor:
        for statement in target.ops.sql_flush(no_style(), names):
            cursor.execute(statement)


def _prove(target: Target, sample: int | None, say: Say) -> None:
    say("checking the audit trail and the manifests on the target")
    failed = checks.failures(target.url, blob_storage().address, sample, say)
    if failed:
        raise MoveError(
            f"the target must not be used: {', '.join(failed)} failed there, and the lines above"
            " say why. The source is as it was; run the failed command on it to see whether it"
            " was altered before the move"
        )
