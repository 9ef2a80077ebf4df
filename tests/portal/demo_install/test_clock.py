"""The process that fills a demo, without broker and cache."""

import pytest
from django.utils import timezone

from accounts.background.models import Heartbeat
from accounts.rate_limits import redis_connection
from portal import celery_app
from portal.demo_install.clock import travelling
from weights.task_names import WeightsTask


@pytest.mark.django_db(transaction=True)
def test_a_sweep_needs_no_redis() -> None:
    redis_connection.shared.cache_clear()  # as in a new process
    with travelling(timezone.now()):
        celery_app.send_task(WeightsTask.SWEEP)
    assert Heartbeat.objects.get(name="weights").failing == {}
