"""Isolation of periodic work: a failing step or item does not stop the others."""

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import NoReturn

import pytest
import time_machine
from django.db import connection, connections
from django.utils import timezone

from accounts.background import periodic
from accounts.background.models import FailedItem, Heartbeat
from accounts.background.task_names import AccountsTask
from accounts.mail.models import OutgoingMail
from tests.support import factories
from weights.task_names import WeightsTask

pytestmark = pytest.mark.django_db

MONDAY = "2027-02-08 10:00Z"


def fails_for(*poison: int) -> Callable[[int], int]:
    def act(item: int) -> int:
        if item in poison:
            raise KeyError("maybe")
        return 1

    return act


# -- items --------------------------------------------------------------------------------


def test_one_item_that_fails_stops_no_other_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert periodic.each("links", [1, 2, 3], fails_for(2)) == 2
    failed = FailedItem.objects.get()
    assert (failed.step, failed.item, failed.attempts) == ("links", 2, 1)
    assert failed.last_error == "KeyError: 'maybe'"
    (record,) = caplog.records
    assert record.getMessage() == "links failed for row 2: KeyError: 'maybe'"
    assert record.exc_info


@pytest.mark.requirement("CE-5")
def test_an_item_is_tried_ever_more_seldom_and_at_least_hourly() -> None:
    tried: list[float] = []

    def fail(item: int) -> NoReturn:
        tried.append(timezone.now().timestamp())
        raise ValueError

    with time_machine.travel(MONDAY, tick=False) as clock:
        for _ in range(4 * 60 * 3):  # three sweeps a minute, for four hours
            periodic.each("links", [7], fail)
            clock.shift(timedelta(seconds=20))
    waits = [int(later - sooner) for sooner, later in pairwise(tried)]
    assert waits[:9] == [20, 20, 40, 80, 160, 320, 640, 1280, 2560]
    assert set(waits[9:]) == {3600}
    assert FailedItem.objects.get().attempts == len(tried)


def test_an_item_that_succeeds_again_is_forgotten() -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        periodic.each("links", [1, 2], fails_for(2))
        periodic.each("links", [1, 2], fails_for())
        assert FailedItem.objects.exists(), "it was not to be tried yet"
        clock.shift(timedelta(seconds=10))
        assert periodic.each("links", [1, 2], fails_for()) == 2
    assert not FailedItem.objects.exists()


def test_the_same_row_is_another_item_in_another_step() -> None:
    periodic.each("links", [1], fails_for(1))
    assert periodic.each("exports", [1], fails_for()) == 1


def test_items_that_fail_do_not_fill_the_batch_of_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    queued: list[int] = []

    def send(task: str, pk: int) -> bool:
        queued.append(pk)
        return True

    # The test checks the queued messages; no worker runs that would consume them.
    monkeypatch.setattr(periodic, "queue_now", send)
    mails = [
        OutgoingMail.objects.create(unique_key=str(number), to="a@example.org").pk
        for number in range(3)
    ]
    for pk in mails[:2]:
        periodic.attempt(AccountsTask.DELIVER_MAIL, pk, fails_for(pk))
    periodic.queue_each(AccountsTask.DELIVER_MAIL, OutgoingMail.objects.order_by("pk"), 2)
    assert queued == mails[2:]


def test_an_abandoned_item_is_forgotten() -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        periodic.each("links", [1], fails_for(1))
        clock.shift(FailedItem.ABANDONED)
        assert FailedItem.objects.forget_abandoned(timezone.now()) == 0
        clock.shift(timedelta(seconds=11))
        assert FailedItem.objects.forget_abandoned(timezone.now()) == 1


@pytest.mark.parametrize(
    "token",
    [
        f"wb_{'a' * 46}",
        f"hf_wb{'a' * 46}",
        f"hf_{'Z9' * 17}",
        f"hf_oauth_{'a' * 40}",
        f"hf_jwt_{'e' * 30}.{'f' * 30}.{'-' * 20}",
    ],
)
def test_an_error_is_one_line_without_secrets(token: str) -> None:
    error = ValueError(f"bad \x1b[2J{token}\nDETAIL: Key (email)=(a@example.org)")
    told = periodic.describe(error)
    assert told == "ValueError: bad \\u001b[2J[secret removed]"
    assert len(periodic.describe(ValueError("x" * 5000))) == 300


# -- tasks on one item ----------------------------------------------------------------------


def test_a_task_that_fails_ends_well_and_waits_before_it_runs_again() -> None:
    tried: list[int] = []

    def fail(item: int) -> None:
        tried.append(item)
        raise KeyError("maybe")

    with time_machine.travel(MONDAY, tick=False) as clock:
        for _ in range(3):
            periodic.attempt(WeightsTask.MAKE_EXPORT, 5, fail)
        assert tried == [5]
        clock.shift(timedelta(seconds=10))
        periodic.attempt(WeightsTask.MAKE_EXPORT, 5, tried.append)
        assert tried == [5, 5]
    assert not FailedItem.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_task_that_kills_its_worker_waits_as_well() -> None:
    """A broker redelivers the message of a killed worker, at once and indefinitely."""
    tried: list[int] = []

    def kill(item: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    for _ in range(3):
        _in_a_child(lambda: periodic.attempt(WeightsTask.MAKE_EXPORT, 5, kill))
        periodic.attempt(WeightsTask.MAKE_EXPORT, 5, tried.append)
        assert tried == []
        FailedItem.objects.update(next_attempt_at=timezone.now())
    failed = FailedItem.objects.failing().get()
    assert (failed.attempts, failed.last_error) == (3, "")


def _in_a_child(act: Callable[[], object]) -> None:
    connections.close_all()  # a child must not use its parent's connection
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.django_db(transaction=True)
def test_an_item_that_breaks_the_connection_stops_no_other() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connection to break")

    def act(item: int) -> int:
        with connection.cursor() as cursor:
            if item == 1:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            cursor.execute("SELECT 1")
        return 1

    assert periodic.each("links", [1, 2], act) == 1
    assert FailedItem.objects.get().item == 1


# -- steps ----------------------------------------------------------------------------------


def test_a_step_that_fails_stops_no_other_and_its_sweep_reports_since_when() -> None:
    ran: list[str] = []

    def fail() -> NoReturn:
        raise KeyError("maybe")

    steps = {"first": fail, "second": lambda: ran.append("second"), "third": lambda: 3}
    with time_machine.travel(MONDAY, tick=False) as clock:
        first = timezone.now()
        assert periodic.run_steps("mail", steps) == {"second": 0, "third": 3}
        clock.shift(timedelta(hours=1))
        periodic.run_steps("mail", steps)
        beat = Heartbeat.objects.get(name="mail")
        assert beat.at == timezone.now()
        failure = {"since": first.isoformat(), "error": "KeyError: 'maybe'"}
        assert beat.failing == {"first": failure}
        periodic.run_steps("mail", steps | {"first": lambda: 1})
    assert ran == ["second"] * 3
    assert Heartbeat.objects.get(name="mail").failing == {}


@pytest.mark.django_db(transaction=True)
def test_a_step_whose_statement_fails_leaves_the_next_one_a_sound_connection() -> None:
    def fail() -> None:
        factories.person("twice")
        factories.person("twice")

    steps = {"poison": fail, "sound": lambda: OutgoingMail.objects.count()}
    assert periodic.run_steps("mail", steps) == {"sound": 0}
    error = Heartbeat.objects.get(name="mail").failing["poison"]["error"]
    assert error.startswith("IntegrityError")
