"""Queue work after commit, without depending on the broker being there.

The rows are the memory: a task that could not be queued is found by the periodic sweep.
"""

import logging
from typing import Any

from celery import current_app
from django.db import transaction

from accounts.background.outages import BROKER_AWAY

log = logging.getLogger(__name__)


def queue_after_commit(task: str, *ids: Any) -> None:
    """Send the task of this name when the transaction has committed."""
    transaction.on_commit(lambda: queue_now(task, *ids))


def queue_now(task: str, *ids: Any) -> bool:
    """Send the task now; False when the broker cannot be reached, and the sweep will send it."""
    try:
        current_app.send_task(task, args=ids, retry=False)
    except BROKER_AWAY as error:
        log.warning("%s waits for the sweep: %s", task, error)
        return False
    return True
