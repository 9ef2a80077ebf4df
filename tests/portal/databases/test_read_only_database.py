"""Read-only mode with a PostgreSQL that itself refuses writes, with real processes."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import requests
from django.db import connection
from psycopg import sql

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.live import Portal
from tests.support.servers.services import wait_until
from weights.ledger.models import Download

PATH = "model.safetensors"


@pytest.fixture
def read_only_database(transactional_db: None) -> Iterator[Callable[[], None]]:
    """Make the database refuse writes of new sessions; it takes them again at the end."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no such setting")
    name = sql.Identifier(str(connection.settings_dict["NAME"]))

    def change(value: str) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
            server.execute(
                sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(
                    name, sql.Literal(value)
                )
            )

    yield lambda: change("on")
    change("off")


def test_downloads_go_on_with_a_database_that_refuses_writes(
    start_portal: Callable[..., Portal],
    store: Path,
    gated_tier: Tier,
    applicant: User,
    read_only_database: Callable[[], None],
) -> None:
    factories.published("acme/weights", gated_tier)
    factories.grant(applicant, gated_tier)
    token = factories.token(applicant, "read-gated")
    read_only_database()
    portal = start_portal(worker=True, settings_={"READ_ONLY": "1"})
    headers = {"Authorization": f"Bearer {token}"}

    def get(path: str) -> requests.Response:
        return requests.get(f"{portal.url}{path}", headers=headers, timeout=60)

    fetched = get(f"/acme/weights/resolve/main/{PATH}")
    assert fetched.content == factories.SMALL_MODEL[PATH], fetched.text
    assert fetched.headers["X-HF-Warning"].startswith("read-only; ")
    assert get("/acme/weights").status_code == 200
    assert get("/api/models/acme/weights").status_code == 200
    refused = requests.post(f"{portal.url}/accounts/login/", timeout=60)
    assert (refused.status_code, refused.headers["X-Error-Code"]) == (503, "read_only")
    done = portal.manage("revoke", applicant.username, gated_tier.slug, "--reason", "a test")
    assert done.returncode == 1
    assert "read-only mode" in done.stderr
    assert not Download.objects.exists()


def test_a_worker_stores_the_rows_that_wait_once_the_mode_is_over(
    start_portal: Callable[..., Portal], store: Path, gated_tier: Tier, applicant: User
) -> None:
    factories.published("acme/weights", gated_tier)
    factories.grant(applicant, gated_tier)
    token = factories.token(applicant, "read-gated")
    paused = start_portal(settings_={"READ_ONLY": "1"})
    address = f"{paused.url}/acme/weights/resolve/main/{PATH}"
    requests.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert not Download.objects.exists()
    start_portal(worker=True)
    from portal.celery import app

    app.send_task("weights.sweep")
    wait_until(lambda: Download.objects.filter(path=PATH).exists(), "the row of the download")
