"""Each alert fires only for its cause, uses existing metrics, and has a runbook."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from celery import current_app
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from prometheus_client import REGISTRY
from pytest_django import Settings

from accounts.api_tokens import token_format
from accounts.applications.models import Application
from accounts.audit.merkle_log import daily_check, sealer, signed_heads
from accounts.audit.models import AuditEvent
from accounts.background.models import FailedItem, Heartbeat
from accounts.mail.models import OutgoingMail
from accounts.tiers.models import Tier
from accounts.users.models import User
from portal.metrics import requests  # noqa: F401 - defines its counters
from portal.metrics.database import LINES
from portal.metrics.endpoint import registry
from tests.accounts.audit.merkle_log import keys
from tests.support import factories, promtool
from tests.support.sample_events import SampleEvent
from tests.support.servers.live import ROOT
from weights.delivery.models import CheckpointLink
from weights.integrity.models import StoreSurvey
from weights.publishing.models import Revision
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.one_database, pytest.mark.needs("promtool")]

FINDING = 'weighbridge_finding_state{finding="%s"}'
REQUESTS = 'weighbridge_http_requests_total{method="GET", route="%s", status="%s"}'
SLOW = 'weighbridge_http_request_seconds_bucket{le="%s", route="hub:resolve"}'
#: Alert -> the series that make it fire, beside those of a portal where all is fine.
CAUSES: dict[str, dict[str, str]] = {
    "WeighbridgeDown": {'up{instance="web:9100", job="weighbridge"}': "0x1560"},
    "WeighbridgeDatabaseDown": {"weighbridge_database_up{}": "0x1560"},
    "WeighbridgeBrokerDown": {"weighbridge_broker_up{}": "0x1560"},
    "WeighbridgeQueueGrows": {"weighbridge_broker_queue_length{}": "1001x1560"},
    "WeighbridgeErrors": {
        REQUESTS % ("hub:resolve", 200): promtool.rising(97),
        REQUESTS % ("hub:resolve", 503): promtool.rising(3),
    },
    "WeighbridgeSlow": {
        SLOW % "1.0": promtool.rising(90),
        SLOW % "2.5": promtool.rising(100),
        SLOW % "+Inf": promtool.rising(100),
    },
    "WeighbridgeBusy": {
        REQUESTS % ("delivery:checkpoint-link", 200): promtool.rising(94),
        REQUESTS % ("delivery:checkpoint-link", 429): promtool.rising(6),
    },
    "WeighbridgeTokenGuessing": {
        'weighbridge_gate_decisions_total{outcome="token_invalid", rule="may_fetch_file"}': (
            promtool.rising(301)
        )
    },
    "WeighbridgeSweepSilent": {FINDING % "Hourly clean-up": "2x1560"},
    "WeighbridgeVerificationBehind": {"weighbridge_verification_oldest_seconds{}": "3601x1560"},
    "WeighbridgeQuarantine": {"weighbridge_quarantined_blobs{}": "1x1560"},
    "WeighbridgeStoreIncomplete": {
        "weighbridge_store_missing_blobs{}": "0x1560",
        "weighbridge_store_overwritten_blobs{}": "1x1560",
    },
    "WeighbridgeScrubBehind": {"weighbridge_scrub_overdue_blobs{}": "1x1560"},
    "WeighbridgeMailStuck": {"weighbridge_mail_failed{}": "1x1560"},
    "WeighbridgeLinksFail": {"weighbridge_checkpoint_links_failed{}": "1x1560"},
    "WeighbridgeUnsigned": {"weighbridge_manifests_unsigned{}": "1x1560"},
    "WeighbridgeReviewOverdue": {"weighbridge_review_overdue_applications{}": "1x1560"},
    "WeighbridgeTrailUnsealed": {"weighbridge_audit_unsealed_oldest_seconds{}": "301x1560"},
    "WeighbridgeHeadOld": {"weighbridge_audit_head_age_seconds{}": "90001x1560"},
    "WeighbridgeTrailAltered": {FINDING % "Check of the audit trail": "2x1560"},
    "WeighbridgeItemsFail": {"weighbridge_failing_items{}": "1x1560"},
    "WeighbridgeAlarm": {FINDING % "Processes": "2x1560"},
}
#: Alerts whose cause is no state of the database; their counters have tests of their own.
OF_COUNTERS = {
    *("WeighbridgeDown", "WeighbridgeDatabaseDown", "WeighbridgeErrors", "WeighbridgeSlow"),
    *("WeighbridgeBusy", "WeighbridgeTokenGuessing"),
}


@pytest.fixture(autouse=True)
def _new_install(store: Path) -> None:
    MigrationRecorder.Migration.objects.update(applied=timezone.now())


def _scrape() -> dict[str, float]:
    found = promtool.samples(registry())
    return {series: value for series, value in found.items() if series.startswith("weighbridge_")}


def _minute(alert: str) -> int:
    """A minute at which an alert fires whose cause began with the first sample."""
    return promtool.minutes_of(promtool.alerts()[alert].get("for", "")) + 12


@pytest.mark.slow
def test_each_alert_fires_for_its_cause_and_no_other_does(tmp_path: Path) -> None:
    """A cause changes some series of a scrape on which no alert fires."""
    assert set(CAUSES) == set(promtool.alerts())
    quiet = {**promtool.constant(_scrape()), 'up{instance="web:9100", job="weighbridge"}': "1x1560"}
    cases = [promtool.case(quiet, _MOST, [])]
    for alert, cause in CAUSES.items():
        cases.append(promtool.case({**quiet, **cause}, _minute(alert), [alert]))
    promtool.run_cases(tmp_path, cases)


#: The minute at which every alert with a lasting cause fires.
_MOST = 24 * 60 + 12


def _break_everything(applicant: User, tier: Tier, folder: Path, settings: Settings) -> None:
    """The causes, as rows of the portal."""
    now = timezone.now()
    long_ago = now - timedelta(days=40)
    factories.submitted(applicant, tier)
    Application.objects.update(submitted_at=long_ago, due_on=long_ago.date())
    revision = factories.published("acme/open")
    with time_machine.travel(long_ago):
        AuditEvent.record(SampleEvent.DONE)
        sealer.seal()
        settings.AUDIT_KEY_FILE = keys.write(folder)
        signed_heads.sign()
        AuditEvent.record(SampleEvent.DONE)
    Revision.objects.update(visible_at=long_ago)
    Blob.objects.update(last_verified_at=long_ago)
    Blob.objects.create(sha256="a" * 64, size=1, created_at=long_ago)
    factories.published("acme/bad", files={"a.bin": b"bad"})
    Blob.objects.filter(files__revision__checkpoint__name="bad").update(
        state=Blob.State.QUARANTINED
    )
    StoreSurvey.objects.create(store="file:///b", started_at=now, finished_at=now, missing=2)
    for number, state in enumerate(("queued", "failed")):
        OutgoingMail.objects.create(
            unique_key=str(number), to="a@example.org", subject="s", text="t", state=state
        )
    CheckpointLink.objects.create(
        holder=applicant,
        checkpoint=revision.checkpoint,
        cause=CheckpointLink.Cause.REQUEST,
        state=CheckpointLink.State.FAILED,
    )
    FailedItem.objects.begin("links", 1)
    FailedItem.objects.fail("links", 1, "no")
    Heartbeat.objects.write(daily_check.HEARTBEAT, {"began": now.isoformat(), "fault": "row 7"})
    Heartbeat.objects.write("tidy", {})
    Heartbeat.objects.filter(name="tidy").update(at=long_ago)


@pytest.mark.slow
def test_the_portal_itself_makes_them_fire(
    applicant: User, gated_tier: Tier, tmp_path: Path, settings: Settings
) -> None:
    """Rows that wait, fail or are late lead through `/metrics` to the alert."""
    _break_everything(applicant, gated_tier, tmp_path, settings)
    with current_app.connection_for_write() as connection:
        queue: Any = connection.default_channel
        queue.client.rpush("celery", *["{}"] * 1001)
        found = _scrape()
        queue.client.delete("celery")
    of_state = set(CAUSES) - OF_COUNTERS - {"WeighbridgeBrokerDown"}
    case = promtool.case(promtool.constant(found), _MOST, of_state)
    promtool.run_cases(tmp_path, [case])


def test_a_broker_that_is_gone_makes_its_alert_fire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In this order: the address to read from falls back on the other, and is put back last.
    monkeypatch.setattr("celery.current_app.conf.broker_read_url", "redis://127.0.0.1:1/0")
    monkeypatch.setattr("celery.current_app.conf.broker_url", "redis://127.0.0.1:1/0")
    case = promtool.case(promtool.constant(_scrape()), 12, ["WeighbridgeBrokerDown"])
    promtool.run_cases(tmp_path, [case])


def test_requests_that_fail_or_guess_make_theirs_fire(
    gated_tier: Tier, settings: Settings, store: Path, tmp_path: Path
) -> None:
    """Each request of the test is repeated sixty times a minute."""
    settings.MIDDLEWARE = ["portal.metrics.requests.MetricsMiddleware", *settings.MIDDLEWARE]
    file = factories.published("acme/open", files={"a.bin": b"bytes"}).files.get()
    (store / file.sha256[:2] / file.sha256[2:4] / file.sha256).unlink()
    before, client = _counters(), Client()
    assert client.get(f"/acme/open/resolve/main/{file.path}").status_code == 503
    guess = {"Authorization": f"Bearer {token_format.new()}"}
    for _ in range(6):
        assert client.get("/acme/open/resolve/main/x", headers=guess).status_code == 401
    grown = {
        series: promtool.rising(60 * (value - before.get(series, 0)))
        for series, value in _counters().items()
    }
    promtool.run_cases(
        tmp_path, [promtool.case(grown, 30, ["WeighbridgeErrors", "WeighbridgeTokenGuessing"])]
    )


def _counters() -> dict[str, float]:
    found = promtool.samples(REGISTRY)
    return {name: value for name, value in found.items() if re.match(r"weighbridge_.*_total", name)}


# -- files ----------------------------------------------------------------------------------


def _names() -> set[str]:
    """The names of all metrics that `/metrics` can expose, with those of their samples."""
    names = {f"weighbridge_{name}" for name, _ in LINES.values()}
    for family in registry().collect():
        names.add(family.name)
        if family.type in {"counter", "histogram"}:
            names |= {f"{family.name}_{suffix}" for suffix in ("total", "bucket", "sum", "count")}
    return names


def _used(expressions: list[str]) -> set[str]:
    return {name for text in expressions for name in re.findall(r"weighbridge_\w+", text)}


def test_every_expression_reads_metrics_that_the_portal_exposes(tmp_path: Path) -> None:
    dashboard = json.loads((ROOT / "deploy" / "monitoring" / "dashboard.json").read_text())
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = [str(rule["expr"]) for rule in promtool.alerts().values()]
    names = _names()
    assert _used(rules) - names == set()
    assert _used(panels) - names == set()
    assert len(panels) > 30
    # promtool parses rules, so each panel becomes one.
    recorded = [{"record": f"panel:{n}", "expr": expr} for n, expr in enumerate(panels)]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": recorded}]}))
    assert f"{len(panels)} rules found" in promtool.check("check", "rules", str(file))


def test_findings_that_expressions_name_are_lines_of_the_health_page() -> None:
    findings = {series for series in _scrape() if series.startswith("weighbridge_finding_state")}
    for rule in promtool.alerts().values():
        for pattern in re.findall(r'finding=~?"([^"]+)"', str(rule["expr"])):
            for word in pattern.split("|"):
                named = re.compile(re.escape(FINDING).replace("%s", word))
                assert any(named.fullmatch(series) for series in findings), word


def test_each_alert_has_a_runbook_that_it_names() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    runbooks = set(re.findall(r"^### (Weighbridge\w+)$", page, flags=re.MULTILINE))
    assert runbooks == set(promtool.alerts())
    for alert, rule in promtool.alerts().items():
        assert rule["annotations"]["runbook_url"].endswith(f"/monitoring#{alert.lower()}")
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_the_documented_configurations_of_prometheus_are_valid(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    blocks = re.findall(r"```yaml\n(scrape_configs:.+?)```", page, flags=re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        (tmp_path / "prometheus.yml").write_text(block)
        promtool.check("check", "config", "--syntax-only", str(tmp_path / "prometheus.yml"))


def test_each_metric_has_its_row_in_the_reference() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    described = set(re.findall(r"^\| `(weighbridge_\w+)` \|", page, flags=re.MULTILINE))
    exposed = {family.name for family in registry().collect() if "weighbridge" in family.name}
    assert described == exposed | {f"weighbridge_{name}" for name, _ in LINES.values()}
