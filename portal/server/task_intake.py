"""A Celery consumer that accepts only messages for the portal's own tasks, with row ids.

Celery trusts the broker: a message may name callbacks, times and built-in tasks, and some
malformed messages (a list for the task's name) end the worker each time they are delivered.
"""

import inspect
import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from celery import Task
from celery.worker.consumer import Consumer as CeleryConsumer
from kombu.message import Message

from accounts.background.task_names import AccountsTask
from weights.task_names import WeightsTask

log = logging.getLogger(__name__)

#: The tasks that messages may name. Celery's own can run any task named in their arguments.
OURS = frozenset[str]((*AccountsTask, *WeightsTask))
#: Maximum bytes of a body; ours have about a hundred.
MOST_BYTES = 4096
#: Row ids are 64-bit integers.
_MOST_ID = 2**63 - 1
#: Headers that the portal's messages set; all others, such as `eta`, must be empty.
_TEXTS = ("id", "root_id", "parent_id", "origin", "lang", "argsrepr", "kwargsrepr")
#: Beat sets `celery_beat_task`, which has no effect.
_CHECKED = {*_TEXTS, "task", "expires", "ignore_result", "celery_beat_task"}


class Refused(Exception):
    """The message is not one that the portal sends."""


class Consumer(CeleryConsumer):
    """Rejects foreign messages, each with one line in the log."""

    connection_errors: tuple[type[BaseException], ...]  # Celery sets it

    def create_task_handler(self, *arguments: Any, **options: Any) -> Callable[[Message], None]:
        handle = super().create_task_handler(*arguments, **options)

        def on_task_received(message: Message) -> None:
            try:
                check(message, self.app.tasks)
            except Refused as error:
                log.error("a message in the queue was refused: %s", error)
                message.reject_log_error(log, self.connection_errors)
            else:
                handle(message)

        return on_task_received


def check(message: Message, tasks: Mapping[str, "Task[Any, Any]"]) -> None:
    """Raise Refused unless the message has a task of ours and the row ids it takes."""
    task = _task(message, tasks)
    _check_headers(message.headers)
    arguments, options, embedded = _body(message)
    if options or not isinstance(embedded, dict) or any(embedded.values()):
        raise Refused(f"{task.name} with options or callbacks")
    if not isinstance(arguments, list) or not all(map(_is_id, arguments)):
        raise Refused(f"{task.name} with something else than row ids")
    try:
        inspect.signature(task.run).bind(*arguments)
    except TypeError as error:
        raise Refused(f"{task.name} with {len(arguments)} arguments") from error


def _task(message: Message, tasks: Mapping[str, "Task[Any, Any]"]) -> "Task[Any, Any]":
    name = message.headers.get("task") if isinstance(message.headers, dict) else None
    if not isinstance(name, str) or name not in OURS:
        raise Refused(f"there is no task {name!r:.100}")
    return tasks[name]


def _check_headers(headers: dict[str, Any]) -> None:
    if not headers.get("id"):
        raise Refused("no id")
    for name in _TEXTS:
        if not isinstance(headers.get(name), str | None):
            raise Refused(f"{name} is not text")
    for name in headers.keys() - _CHECKED:
        if not _is_empty(headers[name]):
            raise Refused(f"the header {name!r:.50} is set")
    try:
        datetime.fromisoformat(headers.get("expires") or "2000-01-01")
    except (TypeError, ValueError) as error:
        raise Refused("expires is not a time") from error


def _body(message: Message) -> list[Any]:
    """The three parts of a body of Celery's protocol 2."""
    if message.content_type != "application/json" or message.content_encoding != "utf-8":
        form = f"{message.content_type} in {message.content_encoding}"
        raise Refused(f"the body is {form:.80}, not JSON in UTF-8")
    body: Any = message.body
    if len(body) > MOST_BYTES:
        raise Refused(f"the body has {len(body)} bytes, at most {MOST_BYTES} are read")
    try:
        parts = json.loads(body)
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused("the body is not JSON") from error
    if not isinstance(parts, list) or len(parts) != 3:
        raise Refused("the body has not three parts")
    return parts


def _is_id(value: Any) -> bool:
    return type(value) is int and 0 < value <= _MOST_ID


def _is_empty(value: Any) -> bool:
    """True if a header is unset; Celery writes absent time limits as two nulls."""
    return not value or (isinstance(value, list) and not any(value))
