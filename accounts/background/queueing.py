"""Queues tasks after commit; an unavailable broker causes no error.

The rows record the work to do, so a periodic sweep queues what could not be queued.
"""

import logging
from typing import Any

from celery import current_app
from django.db import transaction

from accounts.audit import request_context
from accounts.background.outages import BROKER_ERRORS
from accounts.background.task_names import TaskName

log = logging.getLogger(__name__)


def queue_after_commit(task: TaskName, *ids: Any) -> None:
    """Send the task once the transaction has committed."""
    transaction.on_commit(lambda: queue_now(task, *ids))


def queue_now(task: TaskName, *ids: Any) -> bool:
    """Send the task. Returns False if the broker is unavailable; the sweep sends it later.

    Its root id is that of the causing request, so that log lines of both have the same id.
    """
    root = request_context.current().request_id or None
    try:
        current_app.send_task(task, args=ids, retry=False, root_id=root)
    except BROKER_ERRORS as error:
        log.warning("%s waits for the sweep: %s", task, error)
        return False
    return True
