"""Seal the audit trail in a thread of each Celery worker."""

from typing import Any

from celery.signals import worker_ready, worker_shutdown
from django.conf import settings

from accounts.audit.merkle_log.sealer import Sealer

_running: list[Sealer] = []


@worker_ready.connect
def start(**kwargs: Any) -> None:
    """Start the sealer. It is not a task, because long tasks or a stopped broker would delay it.

    With several workers, only one sealer writes at a time.
    """
    if settings.READ_ONLY:
        return
    sealer = Sealer()
    sealer.start()
    _running.append(sealer)


@worker_shutdown.connect
def stop(**kwargs: Any) -> None:
    while _running:
        _running.pop().stop()
