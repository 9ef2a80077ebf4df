"""/readyz returns 200 only if the process can write, render pages and reach the store."""

import shutil
import threading
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.background.models import Heartbeat
from portal.health import readiness
from weights.storage.folder_store import FileStorage

pytestmark = [pytest.mark.django_db, pytest.mark.one_database, pytest.mark.usefixtures("store")]


@pytest.fixture(autouse=True)
def _nothing_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    # Forgets the result of another test, which is valid for a second.
    monkeypatch.setattr(readiness, "_result", None)


@pytest.fixture
def static_root(tmp_path: Path, settings: Settings) -> Path:
    """The static files of production, which are not collected yet."""
    backend = "portal.server.stylesheets.CompressedStorage"
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": backend}}
    return tmp_path / "static"


def answer(client: Client) -> tuple[int, str]:
    response = client.get("/readyz")
    return response.status_code, response.text


@pytest.mark.requirement("OP-6")
def test_a_whole_install_is_ready_and_its_write_is_committed(client: Client) -> None:
    assert answer(client) == (200, "ready\n")
    assert Heartbeat.objects.filter(name="readiness").exists()


@pytest.mark.requirement("OP-6")
def test_a_database_that_takes_no_writes_is_not_ready(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA query_only = ON")
        else:
            cursor.execute("SET TRANSACTION READ ONLY")
    try:
        assert answer(client) == (503, "not ready: database\n")
    finally:
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA query_only = OFF")
    assert client.get("/healthz").status_code == 200
    assert "not ready: database" in caplog.text


@pytest.mark.requirement("OP-6")
def test_a_portal_in_read_only_mode_is_ready_without_a_write(
    client: Client, settings: Settings
) -> None:
    settings.READ_ONLY = True
    assert answer(client) == (200, "ready\n")
    assert not Heartbeat.objects.filter(name="readiness").exists()


@pytest.mark.requirement("OP-6")
def test_static_files_that_are_not_collected_are_not_ready(
    client: Client, static_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert answer(client) == (503, "not ready: static files\n")
    assert "run manage.py collectstatic" in caplog.text


@pytest.mark.requirement("OP-6")
def test_a_missing_store_is_not_ready_and_named_only_in_the_log(
    client: Client, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(store)
    assert answer(client) == (503, "not ready: store\n")
    assert str(store) in caplog.text


@pytest.mark.slow
@pytest.mark.requirement("OP-6")
def test_a_store_that_hangs_is_not_ready_within_the_patience(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    ended: list[FileStorage] = []

    def hang(self: FileStorage) -> None:
        released.wait(60)
        ended.append(self)

    # A smaller limit, to wait less.
    monkeypatch.setattr(readiness, "PATIENCE", 0.5)
    # No test can make a real disk hang.
    monkeypatch.setattr(FileStorage, "probe", hang)
    try:
        assert answer(client) == (503, "not ready: store\n")
        assert not ended
    finally:
        released.set()


def test_a_second_request_within_a_second_asks_nothing(
    client: Client,
    django_assert_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert readiness.CACHED == 1
    # On a loaded machine the second request may come later.
    monkeypatch.setattr(readiness, "CACHED", 60)
    assert answer(client)[0] == 200
    with django_assert_num_queries(0):
        assert answer(client)[0] == 200


@pytest.mark.requirement("OP-6")
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_by_http_are_answered_where_pages_redirect_to_https(
    client: Client, settings: Settings, path: str
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/").status_code == 301
    assert client.get(path).status_code == 200
    assert client.get(f"{path}/more").status_code == 301
