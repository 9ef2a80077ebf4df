"""Run several actions at the same time, each on its own database connection."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.db import connection

from accounts.errors import AccountsError


def at_once(*acts: Callable[[], object]) -> list[str]:
    """Run each action in a thread; return the sorted outcomes: `done`, or the error's code."""
    start = Barrier(len(acts))

    def run(act: Callable[[], object]) -> str:
        start.wait()
        try:
            act()
        except AccountsError as error:
            return error.code
        else:
            return "done"
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return sorted(pool.map(run, acts))
