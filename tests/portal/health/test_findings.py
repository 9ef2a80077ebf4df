"""The health page shows what waits too long or has stopped, with a fixed number of queries."""

import re
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
import time_machine
from celery import current_app
from celery.signals import beat_init
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.applications.models import Application
from accounts.audit.merkle_log import copies, sealer, signed_heads
from accounts.audit.models import AuditEvent
from accounts.background.models import FailedItem, Heartbeat
from accounts.mail.models import OutgoingMail
from accounts.roles.permissions import Role
from accounts.tasks import clocks, look_at_profiles, sign_head, verify_audit
from accounts.tasks import sweep as mail_sweep
from accounts.tiers.models import Tier
from accounts.users.models import User
from portal.health import findings
from portal.supervisor import crash_reports
from portal.supervisor.crash_reports import CrashReport
from tests.accounts.audit.merkle_log import keys
from tests.support import factories
from tests.support.sample_events import SampleEvent
from weights.integrity.models import StoreSurvey, VerificationRun
from weights.recalls.models import Recall
from weights.storage.models import Blob
from weights.tasks import sweep as weights_sweep
from weights.tasks import take_scrub_turn, tidy

pytestmark = pytest.mark.django_db


def _line(name: str) -> findings.Line:
    return next(line for line in findings.lines() if line.name == name)


@pytest.mark.usefixtures("store")
def test_a_new_install_alarms_only_when_no_sweep_comes_through() -> None:
    installed = MigrationRecorder.Migration.objects
    installed.update(applied=timezone.now() - timedelta(seconds=100))
    assert [line for line in findings.lines() if line.state != "ok"] == []
    assert "not run yet" in _line("Mail sweep").text
    installed.update(applied=timezone.now() - timedelta(seconds=130))
    assert [line.name for line in findings.lines() if line.state != "ok"] == [
        "Decision sweep",
        "Mail sweep",
        "Grant expiry sweep",
        "Verification sweep",
    ]
    installed.update(applied=timezone.now() - timedelta(hours=3))
    assert {line.name for line in findings.lines() if line.state != "ok"} == {
        "Decision sweep",
        "Mail sweep",
        "Verification sweep",
        "Scrub",
        "Review sweep",
        "Audit head sweep",
        "Grant expiry sweep",
        "Profile checks",
        "Hourly clean-up",
        "Check of the audit trail",
    }
    mail_sweep()
    weights_sweep()
    take_scrub_turn()
    clocks()
    sign_head()
    look_at_profiles()
    tidy()
    verify_audit()
    assert [line for line in findings.lines() if line.state != "ok"] == []


def test_the_queue_is_late_at_the_target_and_alarms_at_ten_working_days(
    applicant: User, gated_tier: Tier
) -> None:
    states = []
    with time_machine.travel("2027-02-08 10:00Z", tick=False) as clock:  # a Monday
        factories.submitted(applicant, gated_tier)
        for day in ("2027-02-15", "2027-02-16", "2027-02-22", "2027-02-23"):
            clock.move_to(f"{day} 10:00Z")
            states.append(_line("First decisions overdue").state)
        assert _line("Waiting applications").text == "1, the oldest for 2 weeks"
    assert states == ["ok", "late", "late", "alarm"]


def test_the_clocks_of_the_review_run_at_each_start_of_beat() -> None:
    current_app.control.purge()
    beat_init.send(sender=None)
    assert _line("Broker").text == "answers; 2 tasks wait"
    current_app.control.purge()


def test_silence_of_a_sweep_is_an_alarm_and_so_is_one_that_could_not_finish() -> None:
    clocks()
    assert _line("Review sweep").state == "ok"
    Heartbeat.objects.update(at=timezone.now() - timedelta(minutes=26))
    assert _line("Review sweep").state == "alarm"
    with time_machine.travel(timezone.now() - timedelta(hours=2)):
        Heartbeat.objects.note("clocks", {}, {"drafts lapsed": "KeyError: 'first'"})
    Heartbeat.objects.note("clocks", {}, {"drafts lapsed": "KeyError: 'maybe'"})
    line = _line("Review sweep")
    assert line.state == "alarm"
    assert line.text.endswith("could not finish: drafts lapsed for 2 hours (KeyError: 'maybe')")
    Heartbeat.objects.note("clocks", {"drafts lapsed": 1}, {})
    assert _line("Review sweep").state == "ok"


def test_waiting_and_failed_mails_and_blobs_are_reported(store: Path) -> None:
    long_ago = timezone.now() - timedelta(hours=2)
    for number, state in enumerate(("queued", "failed", "sent")):
        mail = OutgoingMail.objects.create(
            unique_key=str(number), to="a@example.org", subject="s", text="t", state=state
        )
        OutgoingMail.objects.filter(pk=mail.pk).update(created_at=long_ago)
    Blob.objects.create(sha256="a" * 64, size=1, created_at=long_ago)
    Blob.objects.create(sha256="b" * 64, size=1, state=Blob.State.QUARANTINED)
    assert _line("Blobs in quarantine").state == "ok"
    Blob.objects.filter(files__revision=factories.published()).update(state=Blob.State.QUARANTINED)
    found = {line.name: (line.state, line.text[:1]) for line in findings.lines()}
    assert found["Mails to deliver"] == ("late", "1")
    assert found["Mails that failed"] == ("alarm", "1")
    assert found["Blobs to verify"] == ("late", "1")
    assert found["Blobs in quarantine"] == ("alarm", "3")


@pytest.mark.requirement("ST-5")
def test_a_blob_is_named_after_three_interrupted_checks_until_one_has_a_result() -> None:
    name, result = "Interrupted checks", VerificationRun.Result
    blob = Blob.objects.create(sha256="a" * 64, size=1)
    for kind in (result.ABANDONED, result.VERIFIED, result.ABANDONED, result.ABANDONED):
        VerificationRun.objects.create(blob=blob, result=kind)
    assert (_line(name).state, _line(name).text) == ("ok", "none")
    VerificationRun.objects.create(blob=blob, result=result.ABANDONED)
    assert _line(name).state == "alarm"
    assert _line(name).text.startswith(f"1: {blob.sha256} (3 in a row); each check starts over")
    VerificationRun.objects.create(blob=blob, result=result.RUNNING)
    assert _line(name).state == "alarm"
    VerificationRun.objects.create(blob=blob, result=result.UNREADABLE)
    assert _line(name).state == "ok"


def test_unsealed_rows_are_late_and_then_an_alarm() -> None:
    states = []
    with time_machine.travel("2026-11-26 09:00Z", tick=False) as clock:
        AuditEvent.record(SampleEvent.DONE)
        for seconds in (0, 29, 2, 300):
            clock.shift(timedelta(seconds=seconds))
            states.append(_line("Rows of the trail to seal").state)
        sealer.seal()
        states.append(_line("Rows of the trail to seal").state)
    assert states == ["ok", "ok", "late", "alarm", "ok"]


def test_a_head_that_is_overdue_is_an_alarm(tmp_path: Path, settings: Settings) -> None:
    states = []
    with time_machine.travel("2026-11-26 09:00Z", tick=False) as clock:
        AuditEvent.record(SampleEvent.DONE)
        sealer.seal()
        states.append(_line("Signed head of the trail").state)
        clock.shift(timedelta(hours=2))
        states.append(_line("Signed head of the trail").state)
        settings.AUDIT_KEY_FILE = keys.write(tmp_path)
        signed_heads.sign()
        for hours in (0, 25, 1):
            clock.shift(timedelta(hours=hours))
            states.append(_line("Signed head of the trail").state)
    assert states == ["ok", "late", "ok", "ok", "alarm"]


def test_a_second_place_that_fails_is_an_alarm_until_it_has_its_copy(
    tmp_path: Path, settings: Settings
) -> None:
    name = "Copies of heads that failed"
    assert "no second location is set" in _line(name).text
    settings.AUDIT_KEY_FILE = keys.write(tmp_path)
    settings.AUDIT_HEAD_COPY = f"file://{tmp_path}/away/heads.txt"
    AuditEvent.record(SampleEvent.DONE)
    sealer.seal()
    signed_heads.sign()
    assert _line(name).state == "ok"
    sign_head()
    assert _line(name).state == "alarm"
    assert "No such file" in _line(name).text
    (tmp_path / "away").mkdir()
    copies.retry()
    sign_head()
    assert _line(name).state == "ok"


def test_a_late_scrub_a_lossy_store_and_unsent_recalls_are_reported(
    settings: Settings,
) -> None:
    settings.MAIL_LEAVES = True
    now = timezone.now()
    long_ago = now - timedelta(days=31)
    state = Blob.State.VERIFIED
    blob = Blob.objects.create(sha256="a" * 64, size=1, state=state, last_verified_at=long_ago)
    Blob.objects.create(sha256="b" * 64, size=1, state=state, last_verified_at=now)
    Recall.objects.create(blob=blob, cause="owner", reason="Wrong.", opened_at=long_ago)
    survey = StoreSurvey.objects.create(
        store="file:///blobs", started_at=now, finished_at=now, missing=2
    )
    found = {line.name: (line.state, line.text[:1]) for line in findings.lines()}
    assert found["Blobs unread for 30 days"] == ("late", "1")
    assert found["Missing in the store"] == ("alarm", "2")
    assert found["Recall mails to send"] == ("alarm", "1")
    StoreSurvey.objects.update(missing=0, finished_at=now - timedelta(hours=26))
    assert _line("Missing in the store").state == "late"
    survey.pk = None
    survey.trouble = "it does not answer"
    survey.save()
    assert _line("Missing in the store").text == "unknown: it does not answer"


def test_a_broker_that_is_gone_is_an_alarm_and_holds_the_page_for_a_moment_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _line("Broker").state == "ok"
    # In this order: the address to read from falls back on the other, and is put back last.
    monkeypatch.setattr("celery.current_app.conf.broker_read_url", "redis://127.0.0.1:1/0")
    monkeypatch.setattr("celery.current_app.conf.broker_url", "redis://127.0.0.1:1/0")
    before = timezone.now()
    assert _line("Broker").state == "alarm"
    assert timezone.now() - before < timedelta(seconds=5)


def test_it_costs_the_same_number_of_queries_whatever_waits(
    gated_tier: Tier, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    clocks()
    with django_assert_num_queries(19):
        findings.lines()
    for _ in range(3):
        factories.submitted(factories.person(), gated_tier)
    with django_assert_num_queries(19):
        findings.lines()
    assert Application.objects.count() == 3


@pytest.mark.parametrize("role", list(Role), ids=str)
def test_all_staff_see_it_and_nobody_else(role: Role, client: Client, applicant: User) -> None:
    factories.submitted(applicant, factories.tier("t"))
    client.force_login(applicant)
    assert client.get("/admin/health/").status_code == 302
    client.force_login(factories.staff("somebody", role))
    # The first page shows only lines whose pages the reader may open, and those without a page.
    for page, line in (("/admin/health/", "Waiting applications"), ("/admin/", "Mail sweep")):
        response = client.get(page)
        assert response.status_code == 200
        assert line in response.text
        assert applicant.username not in response.text


@pytest.mark.requirement("AD-10")
def test_roles_of_a_tier_read_its_applications_alone_and_no_errors_of_items(
    gated_tier: Tier, client: Client
) -> None:
    factories.submitted(factories.person(), gated_tier)
    FailedItem.objects.begin("step", 1)
    FailedItem.objects.fail("step", 1, "KeyError: 'of-the-tier'")
    waiting = {}
    for name, tier in (("all", None), ("own", gated_tier), ("other", factories.tier("another"))):
        client.force_login(factories.staff(name, Role.REVIEWER, tier))
        page = client.get("/admin/health/")
        assert ("of-the-tier" in page.text) == (name == "all")
        lines = {line.name: line.text for line in page.context["health"]}
        waiting[name] = lines["Waiting applications"]
        assert lines["Items that fail"].startswith("1")
    assert waiting["own"] == waiting["all"]
    assert waiting["other"].startswith("0")
    assert not waiting["own"].startswith("0")


def test_a_child_of_the_install_that_keeps_ending_is_an_alarm(
    tmp_path: Path, settings: Settings
) -> None:
    (tmp_path / "run").mkdir()
    settings.DATA_DIR = tmp_path
    assert _line("Processes").state == "ok"
    since = (timezone.now() - timedelta(minutes=5)).timestamp()
    crash_reports.write(tmp_path, [CrashReport("beat", 12, since, "exit code 1")])
    line = _line("Processes")
    assert line.state == "alarm"
    assert line.text.startswith(
        "beat has ended 12 times within 5 minutes, most recently with exit code 1"
    )


@pytest.mark.slow
@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("is_limited", [False, True])
@pytest.mark.parametrize("role", list(Role), ids=str)
def test_no_link_of_the_health_page_is_refused_to_a_role_that_sees_it(
    client: Client, gated_tier: Tier, role: Role, is_limited: bool
) -> None:
    client.force_login(factories.staff("walker", role, gated_tier if is_limited else None))
    for page in ("/admin/", "/admin/health/"):
        tables = re.findall(r'<table class="health">.*?</table>', client.get(page).text, re.DOTALL)
        links = [unescape(link) for link in re.findall(r'href="([^"]+)"', "".join(tables))]
        assert "/transparency/audit/" in links, page
        for link in links:
            assert client.get(link).status_code == 200, link


@pytest.mark.usefixtures("store")
def test_the_health_page_links_to_what_an_administrator_may_open(
    client: Client, administrator: User
) -> None:
    client.force_login(administrator)
    text = client.get("/admin/health/").text
    assert 'href="/admin/accounts/outgoingmail/?state__exact=failed"' in text
    assert 'href="/admin/accounts/application/"' not in text
    assert "Waiting applications" in text
