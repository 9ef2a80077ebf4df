"""Kill a process (SIGKILL) before each SQL statement of a change, one after the other."""

import os
import signal
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from django.db import connection, connections

from accounts.background import queueing

#: More statements than any change has; prevents an endless loop.
MOST = 400


def each_crash(act: Callable[[], object]) -> Iterator[int]:
    """Run `act` in a child that is killed before its first statement, then its second, and so on.

    Yields the statement's number after each kill, and stops once a child finishes.
    """
    for number in range(1, MOST):
        if _survives(act, number):
            return
        yield number
    raise AssertionError(f"more than {MOST} statements")


def _survives(act: Callable[[], object], number: int) -> bool:
    """True if `act` finished before its child reached statement `number`."""
    connections.close_all()  # a child must not use its parent's connection
    child = os.fork()
    if child == 0:
        _run(act, number)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(status) == 0, "the child failed before it was killed"
    return True


def _run(act: Callable[[], object], number: int) -> None:
    """Run `act` in the child; never returns. Queues no tasks, since sweeps do that work."""
    statements = count(1)

    def kill_at_its_turn(execute: Callable[..., Any], *arguments: Any) -> Any:
        if next(statements) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(*arguments)

    try:
        queueing.queue_now = lambda task, *ids: True
        with connection.execute_wrapper(kill_at_its_turn):
            act()
        os._exit(0)
    finally:
        os._exit(1)
