"""End a long read soon after its Celery worker is told to stop.

A warm shutdown waits for the tasks that run, and whoever supervises the worker kills it when it
waits for too long. A read of hundreds of gigabytes therefore asks at each block.
"""

import threading
from typing import Any

from celery.signals import worker_shutting_down

_requested = threading.Event()


class Stopped(Exception):
    """The read ended before it came to a result; the next one starts over."""


@worker_shutting_down.connect
def _request(**kwargs: Any) -> None:
    _requested.set()


def is_requested() -> bool:
    return _requested.is_set()


def sleep(seconds: float) -> None:
    """Sleep, but not beyond the request to stop."""
    _requested.wait(seconds)


def demand_running() -> None:
    """Raise Stopped if the worker is to stop."""
    if is_requested():
        raise Stopped
