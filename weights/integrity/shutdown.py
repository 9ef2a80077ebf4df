"""Stops a long read soon after its Celery worker receives a stop signal.

A warm shutdown waits for running tasks, and a supervisor kills a worker that takes too long.
Reading hundreds of gigabytes therefore checks for the signal at each block.
"""

import threading
from typing import Any

from celery.signals import worker_shutting_down

_requested = threading.Event()


class Stopped(Exception):
    """The read stopped without a result; the next one starts over."""


@worker_shutting_down.connect
def _request(**kwargs: Any) -> None:
    _requested.set()


def is_requested() -> bool:
    return _requested.is_set()


def sleep(seconds: float) -> None:
    """Sleep until the time is over or a stop is requested."""
    _requested.wait(seconds)


def demand_running() -> None:
    """Raise Stopped if a stop is requested."""
    if is_requested():
        raise Stopped
