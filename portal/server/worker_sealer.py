"""A sealer in each worker, beside its tasks."""

from typing import Any

from celery.signals import worker_ready, worker_shutdown

from accounts.audit.merkle_log.sealer import Sealer

_running: list[Sealer] = []


@worker_ready.connect
def start(**kwargs: Any) -> None:
    """Not a task: a long one before it, or a broker that is away, would hold it up.

    Of the sealers of several workers one works at a time.
    """
    sealer = Sealer()
    sealer.start()
    _running.append(sealer)


@worker_shutdown.connect
def stop(**kwargs: Any) -> None:
    while _running:
        _running.pop().stop()
