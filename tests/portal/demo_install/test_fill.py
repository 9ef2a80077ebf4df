"""`make demo` fills a separate install with invented months, and no other."""

import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.audit.models import AuditEvent, SealBatch
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.tiers.models import Tier
from portal.demo_install import downloads, fill, folder, story
from portal.errors import DemoError
from portal.settings.data_dir import invented_mark
from tests.support import factories
from weights.catalogue import opt_family
from weights.ledger.models import Download

pytestmark = [pytest.mark.one_database, pytest.mark.slow]


@pytest.fixture
def small_demos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish a small model under both names: the demos' 1,000 files would take a minute."""

    def publish(data_dir: Path) -> list[str]:
        opt_family.load()
        factories.published(downloads.OPEN, Tier.objects.get(slug="open"))
        factories.published(downloads.GATED, Tier.objects.get(slug="opt-175b"))
        return [downloads.OPEN, downloads.GATED]

    monkeypatch.setattr(fill, "publish_demos", publish)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("store", "small_demos")
def test_the_services_make_five_months_of_history(tmp_path: Path) -> None:
    now = timezone.now()
    fill.fill(tmp_path, now - timedelta(days=story.DAYS))
    states = Counter(Application.objects.values_list("status", flat=True))
    assert sum(states.values()) == 40
    assert set(states) == set(Status.values)
    assert {Grant.State.ACTIVE, Grant.State.REVOKED} <= set(
        Grant.objects.values_list("state", flat=True)
    )
    for model in (AuditEvent, Download):
        months = {at.month for at in model.objects.values_list("at", flat=True)}
        assert len(months) >= 5
        assert model.objects.filter(at__gt=now).count() == 0
    assert not OutgoingMail.objects.filter(state=OutgoingMail.State.QUEUED).exists()
    assert SealBatch.objects.count() > story.DAYS / 3  # a batch each second day with events


def test_a_folder_of_another_install_is_refused(tmp_path: Path) -> None:
    (tmp_path / "db.sqlite3").write_bytes(b"")
    ended = make_demo(tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "holds another install; name a new folder" in ended.stderr
    assert not invented_mark(tmp_path).exists()


def test_a_database_elsewhere_is_refused(tmp_path: Path) -> None:
    ended = make_demo(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/other.sqlite3")
    assert ended.returncode == 1
    assert "unset DATABASE_URL" in ended.stderr


def test_an_interrupted_fill_is_not_continued(tmp_path: Path) -> None:
    folder.mark_filling(tmp_path)
    with pytest.raises(DemoError, match="was interrupted; remove the folder"):
        folder.is_filled(tmp_path)


def test_a_filled_install_stays_as_it_is(tmp_path: Path) -> None:
    folder.mark_filled(tmp_path)
    lines: list[str] = []
    fill.run(tmp_path, lines.append)
    assert lines == [f"{tmp_path} is filled already; start it: make run DATA_DIR={tmp_path}"]


def make_demo(data_dir: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    ordinary = {"PATH": os.environ["PATH"], "DATA_DIR": str(data_dir), **variables}
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "fill_demo"]
    return subprocess.run(command, env=ordinary, capture_output=True, text=True, check=False)
