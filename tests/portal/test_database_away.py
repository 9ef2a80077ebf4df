"""Without its database, every route returns 503, with one line in the log."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client

from accounts.background.outages import DATABASE_ERRORS
from accounts.tiers.models import Tier
from accounts.users.models import User
from portal.settings.base import database
from tests.support import factories
from tests.support.servers import live

pytestmark = pytest.mark.one_database

FULL = OperationalError("database or disk is full")
HUNG_UP = InterfaceError("the connection is closed\nThis probably means that\nthe server died")
DOORS = ["/", "/access/", "/models", "/api/models/acme/small", "/api/v1/checkpoints"]


@pytest.fixture(params=[FULL, HUNG_UP], ids=["full", "hung up"])
def away(request: pytest.FixtureRequest, db: None) -> Iterator[Exception]:
    """From now on each statement fails with the error of a real database."""

    def refuse(execute: Callable[..., Any], *arguments: Any) -> Any:
        raise request.param

    with connection.execute_wrapper(refuse):
        yield request.param


@pytest.fixture
def signed_in(client: Client, applicant: User, gated_tier: Tier) -> Client:
    """A user whose session must be looked up."""
    factories.published("acme/small", gated_tier)
    client.force_login(applicant)
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize("door", [*DOORS, "/acme/small/resolve/main/README.md"])
def test_every_route_asks_to_retry_and_the_log_says_why_in_one_line(
    store: Any, signed_in: Client, away: Exception, door: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    answer = signed_in.get(door)
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    told = [record for record in caplog.records if "does not answer" in record.getMessage()]
    assert told
    assert not any(record.exc_info for record in caplog.records)
    assert " ".join(str(away).split()) in told[0].getMessage()


def test_a_request_without_a_free_connection_fails_after_the_wait_and_not_after_30_seconds(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no pool")
    monkeypatch.setenv("DATABASE_URL", "postgres://nobody@127.0.0.1/nothing")
    found: Any = database("")
    assert found["OPTIONS"]["pool"]["timeout"] == 5
    monkeypatch.setenv("DATABASE_WAIT", "1")
    found |= database("")
    pool = found["OPTIONS"]["pool"] | {"min_size": 1, "max_size": 1}
    holder, waiter = connection.copy("pooled"), connection.copy("pooled")
    for one in (holder, waiter):
        one.settings_dict["OPTIONS"] = {**one.settings_dict["OPTIONS"], "pool": pool}
    try:
        holder.ensure_connection()
        began = time.monotonic()
        with pytest.raises(OperationalError) as refused:  # to which every route responds with 503
            waiter.ensure_connection()
        assert 0.9 < time.monotonic() - began < 10
        assert isinstance(refused.value, DATABASE_ERRORS)
    finally:
        holder.close()
        holder.close_pool()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "command", [["create_token", "nobody"], ["revoke", "nobody", "open", "--reason", "r"]]
)
def test_a_command_reports_an_outage_in_one_line(command: list[str], tmp_path: Path) -> None:
    nowhere = live.environment("http://127.0.0.1:1", f"file://{tmp_path}") | {
        "DATABASE_URL": f"sqlite:///{tmp_path}/no/such/folder.sqlite3"
    }
    done = live.Portal("", nowhere, tmp_path).manage(*command)
    assert done.returncode == 1
    assert done.stderr == (
        "the database does not answer: unable to open database file; "
        "run the same again once it does\n"
    )


def test_a_command_gives_the_cause_when_postgresql_refuses_its_connection(tmp_path: Path) -> None:
    nowhere = live.environment("http://127.0.0.1:1", f"file://{tmp_path}") | {
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing"
    }
    done = live.Portal("", nowhere, tmp_path).manage("create_token", "nobody")
    assert done.returncode == 1
    assert "Connection refused" in done.stderr
    assert done.stderr.count("\n") == 1, "no line of a pool that tries again"


def test_tasks_and_beat_log_an_outage_in_one_line_and_other_failures_with_a_traceback(
    tmp_path: Path,
) -> None:
    code = """
import logging
from celery.beat import SchedulingError
from django.db import OperationalError
from redis import ResponseError
for error in (
    OperationalError("database or disk is full"),
    SchedulingError("a sweep was not queued"),
    ResponseError("MISCONF Errors writing to the AOF file"),
    ResponseError("a fault of ours"),
):
    try:
        raise error
    except Exception:
        logging.getLogger("celery").exception("%s", error)
"""
    here = live.environment("http://127.0.0.1:1", f"file://{tmp_path}")
    said = live.Portal("", here, tmp_path).manage("shell", "-v0", "-c", code).stderr.splitlines()
    assert "database or disk is full" in said[0]
    assert "a sweep was not queued; the next run tries again [celery]" in said[1]
    assert "MISCONF" in said[2]
    assert "a fault of ours" in said[3]
    assert said[4].startswith("Traceback")
