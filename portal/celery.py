"""The Celery app and the beat schedule."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")

app = Celery("weighbridge")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Sweeps find rows that are due or stuck: what a crash or a dead broker kept from being queued.
app.conf.beat_schedule = {
    "accounts-sweep": {"task": "accounts.sweep", "schedule": 20.0, "options": {"expires": 20}},
    "accounts-clocks": {"task": "accounts.clocks", "schedule": 600.0, "options": {"expires": 600}},
    "accounts-heads": {"task": "accounts.heads", "schedule": 60.0, "options": {"expires": 60}},
    "accounts-verify-audit": {
        "task": "accounts.verify_audit",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "accounts-profiles": {
        "task": "accounts.profiles",
        "schedule": 120.0,
        "options": {"expires": 120},
    },
    "weights-sweep": {"task": "weights.sweep", "schedule": 20.0, "options": {"expires": 20}},
    "weights-scrub": {"task": "weights.scrub", "schedule": 60.0, "options": {"expires": 60}},
    "weights-tidy": {"task": "weights.tidy", "schedule": 3600.0, "options": {"expires": 3600}},
}


@beat_init.connect
def catch_up(**kwargs: Any) -> None:
    """Run what comes seldom at each start too: the review's clocks, and the hourly tidying.

    Without a broker nothing is lost: beat tries again as scheduled.
    """
    app.send_task("accounts.clocks", expires=600, retry=False)
    app.send_task("weights.tidy", expires=3600, retry=False)
