"""The portal checks its own trail once a day, in parts (AU)."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.audit.merkle_log import daily_check, sealer
from accounts.audit.models import SealBatch
from accounts.background.models import Heartbeat
from accounts.mail.models import OutgoingMail
from accounts.tasks import verify_audit
from portal.celery import app
from portal.health import findings
from tests.accounts.audit.merkle_log import rows
from tests.accounts.audit.merkle_log.test_tampering import run
from tests.support.database import trail

pytestmark = pytest.mark.django_db


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Thirty events in ten batches, of which a turn reads one."""
    made = [rows.event(number).pk for number in range(30)]
    while sealer.seal_batch(limit=3)[0]:
        pass
    # Bounds made small: a trail of minutes would take minutes.
    monkeypatch.setattr(daily_check, "RUN_SECONDS", 0.0)
    monkeypatch.setattr(daily_check, "ROWS_PER_STEP", 1)
    return made


def line() -> findings.Line:
    return next(one for one in findings.lines() if one.name == "Check of the audit trail")


def whole_reading(most: int = 20) -> int:
    """Turns until the reading has ended."""
    for turn in range(1, most):
        verify_audit()
        if not Heartbeat.objects.get(name="trail").details["is_under_way"]:
            return turn
    raise AssertionError(f"not ended after {most} turns")


@pytest.mark.requirement("AU-9")
def test_a_scrub_continues_turn_by_turn_and_reports_what_it_read(events: list[int]) -> None:
    assert "not run yet" in line().text
    verify_audit()
    assert line().text == "first check not finished yet; 3 rows read so far"
    assert whole_reading() == 10, "nine batches, and a turn that finds no more"
    assert line().state == "ok"
    assert line().text.startswith("30 rows, all unchanged, ")


def test_beat_queues_it_each_minute() -> None:
    entry = app.conf.beat_schedule["accounts-verify-audit"]
    assert (entry["task"], entry["schedule"]) == (verify_audit.name, 60.0)


def test_the_next_scrub_begins_a_day_after_the_last_began(
    events: list[int], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with time_machine.travel("2026-11-26 09:00Z", tick=False) as clock:
        whole_reading()
        clock.shift(timedelta(hours=23, minutes=59))
        with django_assert_max_num_queries(6):
            verify_audit()
        assert not Heartbeat.objects.get(name="trail").details["is_under_way"]
        clock.shift(timedelta(minutes=1))
        verify_audit()
        assert Heartbeat.objects.get(name="trail").details["is_under_way"]


@pytest.mark.requirement("AU-9")
def test_an_altered_row_is_an_alarm_a_line_in_the_log_and_one_mail_a_day(
    events: list[int], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.AUDIT_HEAD_RECIPIENTS = ["keeper@example.org"]
    whole_reading()
    run("UPDATE accounts_auditevent SET result = 'no' WHERE id = %s", events[17])
    a_noon = (timezone.now() + timedelta(days=2)).replace(hour=12)
    with time_machine.travel(a_noon, tick=False) as clock:
        whole_reading()
        fault = f"event {events[17]} (leaf 17) was altered after it was sealed"
        assert line().state == "alarm"
        assert fault in line().text
        assert caplog.messages == [f"the audit trail is not as it was sealed: {fault}"]
        clock.shift(timedelta(hours=1))
        whole_reading()
    mail = OutgoingMail.objects.get(kind="trail_altered")
    assert mail.to == "keeper@example.org"
    assert fault in mail.text


def test_the_alarm_ends_within_an_hour_after_the_trail_is_restored(events: list[int]) -> None:
    run("UPDATE accounts_auditevent SET result = 'no' WHERE id = %s", events[17])
    whole_reading()
    run("UPDATE accounts_auditevent SET result = 'ok' WHERE id = %s", events[17])
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=False):
        whole_reading()
        assert line().state == "ok"


def test_a_batch_removed_during_a_check_is_found(events: list[int]) -> None:
    verify_audit()
    with trail.unguarded():
        SealBatch.objects.filter(number=1).delete()
    whole_reading()
    assert "batch 1 is missing" in line().text


def test_a_stalled_scrub_is_an_alarm(events: list[int]) -> None:
    verify_audit()
    with time_machine.travel(timezone.now() + timedelta(minutes=11), tick=False):
        assert line().state == "alarm"


def test_a_trail_without_rows_has_been_read() -> None:
    verify_audit()
    assert line().text.startswith("0 rows, all unchanged")
