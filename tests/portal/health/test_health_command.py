"""`manage.py health` prints the health page's findings, with an exit code for monitoring."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from accounts.mail.models import OutgoingMail
from tests.support.servers.live import Portal
from weights.integrity.models import StoreSurvey

pytestmark = pytest.mark.django_db


def _run(**options: Any) -> tuple[int, str]:
    """The exit code and output of the command."""
    out, code = StringIO(), 0
    try:
        call_command("health", stdout=out, **options)
    except SystemExit as end:
        code = int(str(end.code))
    return code, out.getvalue()


@pytest.fixture
def _new_install(store: Path) -> None:
    MigrationRecorder.Migration.objects.update(applied=timezone.now())


@pytest.mark.usefixtures("_new_install")
def test_the_exit_code_is_that_of_the_worst_finding() -> None:
    code, output = _run()
    assert code == 0
    assert "Fine   Waiting applications: 0\n" in output
    mail = OutgoingMail.objects.create(unique_key="1", to="a@example.org", subject="s", text="t")
    OutgoingMail.objects.update(created_at=timezone.now() - timedelta(hours=2))
    code, output = _run(quiet=True)
    assert (code, output) == (
        1,
        "Late   Mails to deliver: 1, the oldest for 2 hours; no mail "
        "server is configured, so messages are only stored here\n",
    )
    OutgoingMail.objects.filter(pk=mail.pk).update(state="failed")
    assert _run(quiet=True) == (2, "Alarm  Mails that failed: 1\n")


@pytest.mark.usefixtures("_new_install")
def test_json_names_the_worst_state_and_each_finding() -> None:
    StoreSurvey.objects.create(
        store="file:///blobs", started_at=timezone.now(), finished_at=timezone.now(), missing=2
    )
    code, output = _run(json=True, quiet=True)
    document = json.loads(output)
    assert (code, document["state"]) == (2, "alarm")
    (finding,) = document["findings"]
    assert finding["name"] == "Missing in the store"
    assert finding["state"] == "alarm"
    assert finding["text"].startswith("2; 0 orphaned")


def test_a_database_that_does_not_answer_is_an_alarm(
    store: Path, start_portal: Callable[..., Portal]
) -> None:
    portal = start_portal()
    portal.environment["DATABASE_URL"] = "postgres://portal:top-secret@127.0.0.1:1/none"
    done = portal.manage("health")
    assert done.returncode == 2, done.stderr
    assert done.stdout.startswith("Alarm  Database: cannot be read: ")
    assert "top-secret" not in done.stdout + done.stderr
