"""Bind the ids of a task, and of the request that caused it, to the task's log lines.

The request's id is sent as Celery's `root_id` (accounts/background/queueing.py), which tasks pass
on to the tasks that they queue, and which workers of every release accept.
"""

from typing import Any

from celery.signals import task_postrun, task_prerun
from structlog.contextvars import bind_contextvars, unbind_contextvars

#: Maximum characters of an id in a log line, since the broker may hold foreign messages.
_LONGEST = 64


@task_prerun.connect
def bind(task_id: str, task: Any, **kwargs: Any) -> None:
    root = task.request.root_id
    caused_by = {"request_id": root[:_LONGEST]} if root and root != task_id else {}
    bind_contextvars(task_id=task_id[:_LONGEST], **caused_by)


@task_postrun.connect
def unbind(**kwargs: Any) -> None:
    unbind_contextvars("task_id", "request_id")
