"""The Celery app and the beat schedule."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging
from django.conf import settings
from django.utils.log import configure_logging

from accounts.background.task_names import AccountsTask
from weights.task_names import WeightsTask

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")

#: Task -> seconds between two runs. Sweeps find rows that are due, and rows that were not queued
#: because a process died or the broker was unavailable.
_PERIODS = {
    AccountsTask.SWEEP: 20.0,
    AccountsTask.CLOCKS: 600.0,
    AccountsTask.HEADS: 60.0,
    AccountsTask.VERIFY_AUDIT: 60.0,
    AccountsTask.PROFILES: 120.0,
    WeightsTask.SWEEP: 20.0,
    WeightsTask.SCRUB: 60.0,
    WeightsTask.TIDY: 3600.0,
}

app = Celery("weighbridge")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    # A run that waits longer than a period expires: the next one does its work.
    task.replace(".", "-").replace("_", "-"): {
        "task": task.value,
        "schedule": seconds,
        "options": {"expires": int(seconds)},
    }
    for task, seconds in _PERIODS.items()
}


@setup_logging.connect
def log_in_one_format(**kwargs: Any) -> None:
    """Configure logs like Django, so that Celery adds no handlers with other formats."""
    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)


@app.on_after_finalize.connect
def rest_in_read_only_mode(sender: Celery, **kwargs: Any) -> None:
    if settings.READ_ONLY:
        sender.conf.beat_schedule = {}


@beat_init.connect
def run_rare_tasks(**kwargs: Any) -> None:
    """Also run the tasks with long periods when beat starts.

    Without a broker nothing is lost: beat sends them again as scheduled.
    """
    if settings.READ_ONLY:
        return
    app.send_task(AccountsTask.CLOCKS, expires=600, retry=False)
    app.send_task(WeightsTask.TIDY, expires=3600, retry=False)
