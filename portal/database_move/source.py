"""The database that is moved: one state of it, which nobody changes until the move has ended."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from celery import current_app
from django.db import OperationalError, connection, transaction

from accounts.background.outages import BROKER_AWAY
from portal.backup import postgres, preflight
from portal.errors import MoveError

_STOP = "stop web, worker and beat, then run the same again"


def demand_no_worker() -> None:
    """Raises MoveError while a worker answers."""
    try:
        answers = current_app.control.ping(timeout=2.0, limit=1)
    except BROKER_AWAY:
        return  # a worker does not run for long without its broker
    if answers:
        raise MoveError(f"worker {next(iter(answers[0]))} is running; {_STOP}")


@contextmanager
def frozen() -> Iterator[None]:
    """A transaction that sees one state and keeps every writer waiting. Raises MoveError.

    On SQLite, settings make each transaction the writer's (BEGIN IMMEDIATE).
    """
    if connection.vendor == "postgresql":
        postgres.demand_alone(connection)
    with ExitStack() as stack:
        try:
            stack.enter_context(transaction.atomic())
            if connection.vendor == "postgresql":
                _lock_tables()
        except OperationalError as error:
            why = " ".join(str(error).split())
            raise MoveError(f"somebody writes to the database ({why}); {_STOP}") from error
        yield


def _lock_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        # The snapshot is taken by the first statement after the locks are held.
        names = ", ".join(map(connection.ops.quote_name, preflight.tables()))
        cursor.execute(f"LOCK TABLE {names} IN SHARE MODE")
