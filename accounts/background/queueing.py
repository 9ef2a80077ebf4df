"""Queues tasks after commit; an unavailable broker causes no failure.

The rows record what is to be done, so a periodic sweep queues what could not be queued.
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
    """Send the task when the transaction has committed."""
    transaction.on_commit(lambda: queue_now(task, *ids))


def queue_now(task: TaskName, *ids: Any) -> bool:
    """Send the task. Returns False if the broker does not answer; the sweep sends it later.

    Its root is the request that causes it, so that log lines of both carry one id.
    """
    root = request_context.current().request_id or None
    try:
        current_app.send_task(task, args=ids, retry=False, root_id=root)
    except BROKER_ERRORS as error:
        log.warning("%s waits for the sweep: %s", task, error)
        return False
    return True
