"""Seal the audit trail in a thread of each Celery worker."""

from typing import Any

from celery.signals import worker_ready, worker_shutdown

from accounts.audit.merkle_log.sealer import Sealer

_running: list[Sealer] = []


@worker_ready.connect
def start(**kwargs: Any) -> None:
    """Start the sealer: not a task, which long tasks or a broker that is away would delay.

    Of several workers' sealers one works at a time.
    """
    sealer = Sealer()
    sealer.start()
    _running.append(sealer)


@worker_shutdown.connect
def stop(**kwargs: Any) -> None:
    while _running:
        _running.pop().stop()
