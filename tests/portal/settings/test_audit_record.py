"""The trail records a process's settings, once per change, and without secrets."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import OperationalError
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from portal.settings import audit_record
from tests.accounts.audit.merkle_log import keys
from tests.support.hurry import at_once

pytestmark = pytest.mark.django_db


def recorded(process: str = "web") -> list[AuditEvent]:
    found = AuditEvent.objects.filter(action="settings.changed", details__process=process)
    return list(found.order_by("pk"))


@pytest.mark.requirement("AU-7")
def test_a_change_is_recorded_once_with_both_values(settings: Settings) -> None:
    first = audit_record.note("web")
    assert first is not None
    assert first.details["settings"]["SCRUB_DAYS"] == settings.SCRUB_DAYS
    assert first.details["changed"] == {}
    assert audit_record.note("web") is None
    before, settings.SCRUB_DAYS = settings.SCRUB_DAYS, 90
    settings.WEIGHTS_STORAGE = "s3://bucket/prefix"
    assert audit_record.note("web") is not None
    assert audit_record.note("web") is None
    last = recorded()[-1].details["changed"]
    assert last["SCRUB_DAYS"] == {"before": before, "after": 90}
    assert last["WEIGHTS_STORAGE"]["after"] == "s3://bucket/prefix"
    assert set(last) == {"SCRUB_DAYS", "WEIGHTS_STORAGE"}
    settings.SCRUB_DAYS = before
    assert audit_record.note("web") is not None, "the way back is a change too"


def test_each_kind_of_process_is_compared_with_its_own(tmp_path: Path, settings: Settings) -> None:
    audit_record.note("web")
    settings.AUDIT_KEY_FILE = keys.write(tmp_path)  # which only workers have
    audit_record.note("worker")
    settings.AUDIT_KEY_FILE = ""
    assert audit_record.note("web") is None
    assert len(recorded("worker")) == 1


def test_keys_and_people_are_identified_by_fingerprint_only(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SECRET_KEY = "a-secret-that-nobody-may-read" * 2
    settings.LINK_KEYS = {"k2": bytes(range(32))}
    settings.AUDIT_KEY_FILE = keys.write(tmp_path)
    settings.AUDIT_HEAD_RECIPIENTS = ["keeper@example.org"]
    settings.S3_ENDPOINT_URL = "https://user:hush@store.example.org"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    event = audit_record.note("worker")
    assert event is not None
    kept = event.details["settings"]
    assert kept["S3_ENDPOINT_URL"] == "https://store.example.org"
    text = json.dumps(event.details)
    private = Path(settings.AUDIT_KEY_FILE).read_text().splitlines()[1]
    secrets = ("nobody-may-read", bytes(range(32)).hex(), private, "keeper@", "hush", "AKIA")
    assert [secret for secret in secrets if secret in text] == []
    names = ("SECRET_KEY", "AUDIT_KEY_FILE", "AUDIT_HEAD_RECIPIENTS", "AWS_ACCESS_KEY_ID")
    assert {len(kept[name]) for name in names} == {16}
    settings.LINK_KEYS = {"k2": bytes(range(1, 33))}
    again = audit_record.note("worker")
    assert again is not None
    assert set(again.details["changed"]) == {"LINK_KEYS"}
    settings.ENCRYPTION_KEYS = {"k9": bytes(range(2, 34))}
    rotated = audit_record.note("worker")
    assert rotated is not None
    assert set(rotated.details["changed"]) == {"ENCRYPTION_KEYS"}
    assert bytes(range(2, 34)).hex() not in json.dumps(rotated.details)


@pytest.mark.django_db(transaction=True)
def test_one_of_many_processes_that_start_at_once_records_the_change() -> None:
    assert at_once(*[lambda: audit_record.note("web")] * 4) == ["done"] * 4
    assert len(recorded()) == 1


def test_a_database_that_is_unavailable_at_start_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers: Iterator[Exception | None] = iter([OperationalError("it is\naway"), None])

    def note(process: str) -> None:
        if error := next(answers):
            raise error

    # The suite's database cannot be stopped for a second; the real pause is ten seconds.
    monkeypatch.setattr(audit_record, "note", note)
    monkeypatch.setattr(audit_record, "PAUSE", 0.0)
    # A separate thread, because it returns its connections.
    audit_record.note_at_start("web").join(5)
    assert next(answers, "asked twice") == "asked twice"
    assert "the settings have not been recorded yet: the database does not answer: it is away" in (
        caplog.text
    )
