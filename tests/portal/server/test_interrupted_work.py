"""The next worker takes over a killed one's leases and unacknowledged tasks at once."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.utils import timezone
from pytest_django import Settings

from accounts.background.queueing import queue_now
from portal.server import interrupted_work
from weights.integrity import lease
from weights.integrity.models import ScrubTurn, StoreSurvey
from weights.storage.models import Blob
from weights.task_names import WeightsTask

# The database connection is closed, so these rows are committed.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]


@pytest.fixture
def channel() -> Iterator[Any]:
    """A connection to the empty queue that dies as a killed worker's does: it returns no task."""
    with current_app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        channel.do_restore = False
        channel.client.flushdb()
        yield channel
        channel.client.flushdb()


@pytest.fixture
def leased(channel: Any) -> Blob:
    """A blob that a worker had leased, and whose task it had received, as it was killed."""
    blob = Blob.objects.create(sha256="a" * 64, size=1)
    assert lease.acquire(Blob.objects.all(), blob.pk)
    assert queue_now(WeightsTask.VERIFY_BLOB, blob.pk)
    assert channel.basic_get("celery") is not None
    return blob


def test_the_worker_of_an_embedded_install_takes_up_what_the_last_one_left(
    channel: Any, leased: Blob, settings: Settings
) -> None:
    settings.EMBEDDED_BROKER = True
    assert channel.basic_get("celery") is None
    assert lease.acquire(Blob.objects.all(), leased.pk) is None
    interrupted_work.take_up()
    message = channel.basic_get("celery")
    assert message.headers["task"] == WeightsTask.VERIFY_BLOB
    assert channel.basic_get("celery") is None, "each task once"
    assert lease.acquire(Blob.objects.all(), leased.pk) is not None


def test_a_blob_whose_message_was_lost_is_due_at_once(leased: Blob, settings: Settings) -> None:
    settings.EMBEDDED_BROKER = True
    Blob.objects.filter(pk=leased.pk).update(check_due_at=timezone.now() + timedelta(minutes=5))
    interrupted_work.take_up()
    leased.refresh_from_db()
    assert leased.check_due_at is not None
    assert leased.check_due_at <= timezone.now()


def test_where_other_workers_may_run_their_leases_and_tasks_are_left_alone(
    channel: Any, leased: Blob
) -> None:
    interrupted_work.take_up()
    assert channel.basic_get("celery") is None
    assert lease.acquire(Blob.objects.all(), leased.pk) is None


def test_a_lease_that_was_ended_is_lost_to_its_holder_and_free_for_others() -> None:
    begun = timezone.now()
    turn = ScrubTurn.objects.create(number=1)
    survey = StoreSurvey.objects.create(store="file:///x", started_at=begun)
    held = lease.acquire(ScrubTurn.objects.all(), turn.pk)
    assert held is not None
    assert lease.acquire(StoreSurvey.objects.all(), survey.pk) is not None
    lease.expire_all()
    with pytest.raises(lease.LeaseLost):
        held.renew()
    survey.refresh_from_db()
    assert survey.leased_until is not None
    assert begun < survey.leased_until < timezone.now() + timedelta(seconds=1)
    assert lease.acquire(ScrubTurn.objects.all(), turn.pk) is not None
