"""A clock that can be set to the past, and tasks that run immediately in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from unittest import mock

from django.conf import settings
from django.test import override_settings

from accounts.rate_limits import redis_connection
from accounts.rate_limits.redis_connection import RedisUnavailable
from portal import celery_app
from portal.errors import DemoError

#: Settings for a process that has no broker and cache and must not send mails.
_MAIL = "django.core.mail.backends.dummy.EmailBackend"
_CACHE = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
#: Longer than the default, since each scrub of the 1,000 files takes 15 seconds; the last one
#: is less than 30 days old.
_SCRUB_DAYS = 50


@contextmanager
def travelling(start: datetime) -> Iterator[Any]:
    """Set the clock of this process to `start`; `move_to` of the yielded value advances it.

    Tasks run when they are sent, and mails are discarded. Raises DemoError if the library that
    sets the clock, a development requirement, is missing.
    """
    try:
        import time_machine  # noqa: PLC0415 - absent from an install for production
    except ImportError as error:
        raise DemoError("install the development requirements first: make demo does it") from error
    celery_app.loader.import_default_modules()  # registers the tasks
    demo_settings = override_settings(
        EMAIL_BACKEND=_MAIL,
        CACHES=dict.fromkeys(settings.CACHES, _CACHE),
        SCRUB_DAYS=_SCRUB_DAYS,
        DECISION_UNDO_SECONDS=0,  # nobody undoes a decision, and the next event builds on it
    )
    without_redis = mock.patch.object(redis_connection, "shared", side_effect=RedisUnavailable)
    run_now = mock.patch.object(celery_app, "send_task", _run)
    with demo_settings, without_redis, run_now, time_machine.travel(start) as traveller:
        yield traveller


def _run(name: str, args: Any = (), **options: Any) -> None:
    celery_app.tasks[name].apply(args=args, throw=True)
