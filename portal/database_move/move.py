"""Move all rows to another database and check them there (docs/operating.md).

An interrupted move leaves the source unchanged; the same command starts over.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from celery import current_app
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import (
    DatabaseError,
    IntegrityError,
    OperationalError,
    connection,
    connections,
    transaction,
)

from accounts.background.outages import BROKER_ERRORS
from portal.database_move import rows, targets
from portal.database_move.targets import ALIAS, Target
from portal.databases import checks, postgres, state
from portal.errors import MoveError
from portal.supervisor import install_lock
from weights.storage import blob_storage

Say = Callable[[str], None]
_STOP = "stop web, worker and beat, then run the same command again"


def move(url: str, say: Say, *, sample: int | None = None) -> None:
    """Move the settings' database to `url`.

    `sample` is how many blobs the check of the manifests reads instead of all. Raises MoveError,
    BackupError, QuickstartError, and the errors of databases and stores.
    """
    with install_lock.lock_if_embedded(), targets.opened(url) as target:
        _refuse_running_worker()
        with _frozen_source():
            target.begin()
            _migrate()
            _copy(say)
            _check(target, sample, say)
            target.put_to_use()


# -- the source -----------------------------------------------------------------------------


def _refuse_running_worker() -> None:
    try:
        replies = current_app.control.ping(timeout=2.0, limit=1)
    except BROKER_ERRORS:
        return  # a worker stops soon without its broker
    if replies:
        raise MoveError(f"worker {next(iter(replies[0]))} is running; {_STOP}")


@contextmanager
def _frozen_source() -> Iterator[None]:
    """Read one state of the source in a transaction that blocks every writer.

    On SQLite the settings begin each transaction as a writer (BEGIN IMMEDIATE). Raises MoveError.
    """
    if connection.vendor == "postgresql":
        postgres.demand_no_other_connections(connection)
    with ExitStack() as stack:
        try:
            stack.enter_context(transaction.atomic())
            if connection.vendor == "postgresql":
                _lock_tables()
        except OperationalError as error:
            reason = " ".join(str(error).split())
            raise MoveError(
                f"another process writes to the database ({reason}); {_STOP}"
            ) from error
        yield


def _lock_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        # The first statement after the locks takes the snapshot.
        names = ", ".join(map(connection.ops.quote_name, state.tables()))
        cursor.execute(f"LOCK TABLE {names} IN SHARE MODE")


# -- the target -----------------------------------------------------------------------------


def _migrate() -> None:
    """Create the tables. Raises MoveError."""
    try:
        call_command("migrate", database=ALIAS, interactive=False, verbosity=0)
    except DatabaseError as error:
        reason = " ".join(str(error).split())
        raise MoveError(f"the tables of the target cannot be created: {reason}") from error


def _copy(say: Say) -> None:
    """Copy all tables or none. Raises MoveError."""
    with transaction.atomic(using=ALIAS):
        _remove_migrated_rows()
        for model in rows.tables():
            count = rows.copy_table(model, ALIAS)
            say(f"{model._meta.db_table}: {count} rows")
        try:
            connections[ALIAS].check_constraints()
        except IntegrityError as error:
            reason = " ".join(str(error).split())
            raise MoveError(
                f"a row of the source refers to one that does not exist: {reason}"
            ) from error


def _remove_migrated_rows() -> None:
    """Remove the rows that `migrate` created: the source has them under its own ids."""
    target = connections[ALIAS]
    names = [model._meta.db_table for model in rows.tables()]
    with target.cursor() as cursor:
        for statement in target.ops.sql_flush(no_style(), names):
            cursor.execute(statement)


def _check(target: Target, sample: int | None, say: Say) -> None:
    say("checking the audit trail and the manifests on the target")
    failed = checks.failures(target.url, blob_storage().address, sample, say)
    if failed:
        raise MoveError(
            f"the target must not be used: {', '.join(failed)} failed on it, see the lines"
            " above. The source is unchanged; run the failed command on it to see if it was"
            " altered before the move"
        )
