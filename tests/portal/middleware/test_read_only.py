"""Read-only mode: nothing is stored on any route, and downloads continue."""

import hashlib
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.background.models import Heartbeat
from accounts.background.outages import ReadOnly
from accounts.rate_limits import redis_connection, tallies
from accounts.rate_limits.redis_connection import RedisUnavailable
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from portal import celery, processes
from portal.backup import reread
from portal.databases import read_only
from tests.support import factories
from tests.support.http.addresses import addresses
from tests.support.http.callers import (
    FILES,
    PATH,
    REPO,
    Answer,
    Person,
    World,
    ask,
    person,
    shared_client,
)
from tests.support.http.routes import ROUTES
from weights.ledger import waiting_rows
from weights.ledger.models import Download
from weights.manifests.document import document_of
from weights.publishing import intake
from weights.storage import blob_storage

FILE = f"/{REPO}/resolve/main/{PATH}"
#: Routes whose GET records an event of the audit trail, so that it waits.
WAITING = {"admin:accounts_application_export", "api:plan"}


@pytest.fixture
def world(store: Any, gated_tier: Tier) -> World:
    revision = factories.published(REPO, gated_tier, FILES)
    document_of(revision)  # a worker writes it when it signs the revision
    names = ("anonymous", "approved", "pending")
    return World(revision, {name: person(name, gated_tier, revision) for name in names})


@pytest.fixture
def paused(world: World, settings: Settings) -> Iterator[World]:
    """The world, in read-only mode from now on."""
    for caller in world.people.values():
        assert not caller.user or caller.cookies  # they signed in before
    staff = all_roles()
    world.people["staff"] = Person("staff", staff, None, "", "")
    assert world.people["staff"].cookies
    settings.READ_ONLY = True
    shared_client.cache_clear()  # a client loads the middleware once
    with connection.execute_wrapper(read_only.refuse_writes):
        yield world
    shared_client.cache_clear()


def all_roles() -> User:
    user = factories.staff("member", Role.ADMINISTRATOR)
    for role in Role:
        RoleAssignment.objects.assign(user, role)
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    return User.objects.get(pk=user.pk)


def is_refusal(answer: Answer) -> bool:
    headers = answer.response.headers
    return (
        answer.response.status_code == 503
        and headers["X-Error-Code"] == "read_only"
        and headers["Retry-After"] == "300"
        and headers["X-HF-Warning"].startswith("read-only; This portal is in read-only mode")
    )


# -- every route --------------------------------------------------------------------------


@pytest.mark.one_database
@pytest.mark.slow
def test_every_unsafe_request_is_refused_in_read_only_mode(paused: World) -> None:
    events, reading = AuditEvent.objects.count(), set()
    for route, method in product(ROUTES, ["POST", "PUT", "PATCH", "DELETE"]):
        caller = paused.people["staff" if route.is_generated else "approved"]
        address = next(addresses(route, paused, paused.people["approved"]))
        answer = ask(caller, "session", method, address)
        is_unknown = answer.response.status_code == 405 and method != "POST"
        if not is_unknown and not is_refusal(answer):
            reading.add((method, route.key))
    assert reading == {("POST", "hub:paths-info")}
    assert AuditEvent.objects.count() == events


@pytest.mark.one_database
@pytest.mark.slow
def test_every_page_opens_in_read_only_mode_and_stores_nothing(paused: World) -> None:
    refused, failed = set(), {}
    shared_client().raise_request_exception = False
    for route in ROUTES:
        caller = paused.people["staff" if route.is_generated else "approved"]
        every = list(addresses(route, paused, paused.people["approved"]))
        credentials = ["session", "token"] if caller.token else ["session"]
        some = every[:1] if route.is_generated else every
        for address, credential in product(some, credentials):
            answer = ask(caller, credential, "GET", address)
            if is_refusal(answer):
                refused.add(route.key)
            elif answer.response.status_code >= 500:
                failed[address] = answer.response.status_code
    assert failed == {}
    assert refused == WAITING


# -- downloads ------------------------------------------------------------------------------


@pytest.mark.parametrize("credential", ["token", "session"])
def test_downloads_go_on_and_their_rows_are_stored_later(
    paused: World, settings: Settings, credential: str
) -> None:
    caller = paused.people["approved"]
    answer = ask(caller, credential, "GET", FILE)
    assert answer.body == FILES[PATH]
    assert answer.response.headers["X-HF-Warning"].startswith("read-only; ")
    assert not Download.objects.exists()
    with pytest.raises(ReadOnly):
        waiting_rows.store()
    connection.execute_wrappers.remove(read_only.refuse_writes)
    try:
        waiting_rows.store()
        waiting_rows.store()
    finally:
        connection.execute_wrappers.append(read_only.refuse_writes)
    row = Download.objects.get()
    assert (row.user_id, row.path, row.length) == (caller.user.pk, PATH, len(FILES[PATH]))  # type: ignore[union-attr]
    assert row.request_id == answer.response.headers["X-Request-Id"]


def test_a_row_that_was_stored_before_a_worker_died_is_not_stored_again(
    world: World, settings: Settings
) -> None:
    row = factories.downloaded(world.people["approved"].user, world.revision)
    early = row.at - timedelta(hours=2)
    row.pk, row.at, row.request_id = None, early, "a-request"
    waiting_rows.put(row)
    kept = tallies.read("ledger-rows")
    waiting_rows.store()
    for text in kept:
        tallies.add("ledger-rows", text)
    waiting_rows.store()
    assert Download.objects.get(request_id="a-request").at == early


def test_a_row_that_arrives_while_others_are_stored_stays_in_redis_until_the_next_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = factories.downloaded(world.people["approved"].user, world.revision)
    row.pk, row.request_id = None, "early"
    waiting_rows.put(row)
    insert = waiting_rows._insert

    def insert_slowly(rows: Collection[str]) -> None:
        row.request_id = "late"
        waiting_rows.put(row)
        insert(rows)

    with monkeypatch.context() as patch:
        # Another process records a download at this moment.
        patch.setattr(waiting_rows, "_insert", insert_slowly)
        waiting_rows.store()
    (text,) = tallies.read("ledger-rows")
    assert '"late"' in text
    waiting_rows.store()
    assert tallies.read("ledger-rows") == {}
    assert Download.objects.filter(request_id__in=["early", "late"]).count() == 2


def test_a_download_that_cannot_be_recorded_is_refused(
    paused: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: Callable[..., Any]) -> Any:
        raise RedisUnavailable

    # Other tests of this process share the real Redis, so it cannot be stopped.
    monkeypatch.setattr(redis_connection.shared(), "run", fail)
    answer = ask(paused.people["approved"], "token", "GET", FILE)
    assert answer.response.status_code == 503
    assert not answer.holds_the_secret


def test_refusals_of_strangers_are_counted_and_not_stored(paused: World) -> None:
    answer = ask(paused.people["pending"], "token", "GET", FILE)
    assert answer.response.status_code == 403
    assert tallies.read("refused-unwritten") == {"in_review": 1}


# -- pages, commands, tasks -------------------------------------------------------------------


def test_pages_and_the_admin_show_the_mode(paused: World) -> None:
    assert b"Read-only mode." in ask(paused.people["approved"], "session", "GET", "/access/").body
    assert b"Read-only mode:" in ask(paused.people["staff"], "session", "GET", "/admin/").body


def test_without_the_mode_nothing_shows_it(client: Client, world: World) -> None:
    page = client.get("/")
    assert b"Read-only" not in page.content
    assert "X-HF-Warning" not in page.headers


def test_a_refused_request_is_no_error_in_the_log(
    paused: World, caplog: pytest.LogCaptureFixture
) -> None:
    assert is_refusal(ask(paused.people["approved"], "session", "POST", "/report/"))
    assert [line for line in caplog.records if line.levelname == "ERROR"] == []


def test_a_sign_in_is_refused_with_a_page_that_says_why(paused: World) -> None:
    anonymous = paused.people["anonymous"]
    answer = ask(anonymous, "", "POST", "/accounts/login/", Accept="text/html")
    assert answer.response.status_code == 503
    assert b"read-only mode for maintenance" in answer.body


def test_a_command_that_changes_something_ends_with_a_line(
    paused: World, manage: Callable[..., str]
) -> None:
    with pytest.raises(CommandError, match=r"read-only mode .* \(READ_ONLY is set\)"):
        manage("grant", "pending", "opt-175b", "--reason", "a test")


def test_a_prepared_install_starts_in_read_only_mode(
    paused: World, manage: Callable[..., str]
) -> None:
    assert manage("prepare_install") == ""


def test_an_install_that_waits_for_migrations_does_not_start_in_read_only_mode(
    db: None, manage: Callable[..., str], settings: Settings
) -> None:
    MigrationRecorder.Migration.objects.filter(app="weights").delete()
    settings.READ_ONLY = True
    with pytest.raises(CommandError, match="migrations wait, and READ_ONLY is set"):
        manage("prepare_install")


def test_publishing_is_refused_before_a_byte_is_stored(paused: World, tmp_path: Path) -> None:
    content, folder = b"new bytes", tmp_path / "new"
    folder.mkdir()
    (folder / "model.bin").write_bytes(content)
    with pytest.raises(ReadOnly):
        intake.publish(folder, "acme/new", tier=paused.tier.slug, accept_findings=True)
    assert blob_storage().size(hashlib.sha256(content).hexdigest()) is None


def test_the_end_of_a_backup_is_not_stored_in_read_only_mode(paused: World, tmp_path: Path) -> None:
    reread.note(tmp_path, reread.Reread())
    assert not Heartbeat.objects.filter(name="backup").exists()


def test_workers_and_beat_wait_in_read_only_mode(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--queues" not in processes.worker()
    monkeypatch.setenv("READ_ONLY", "1")
    assert processes.worker()[-2:] == ["--queues", "read-only"]
    schedule = celery.app.conf.beat_schedule
    settings.READ_ONLY = True
    try:
        celery.rest_in_read_only_mode(celery.app)
        assert celery.app.conf.beat_schedule == {}
    finally:
        celery.app.conf.beat_schedule = schedule


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", True),
        ("(SELECT 1) UNION (SELECT 2)", True),
        ("WITH a AS (SELECT 1) SELECT * FROM a", True),
        ('SAVEPOINT "s1"', True),
        ("SELECT 1 FROM t FOR UPDATE", False),
        ("SELECT 1 FROM t FOR NO KEY UPDATE SKIP LOCKED", False),
        ("WITH a AS (DELETE FROM t RETURNING id) SELECT * FROM a", False),
        ('  UPDATE "t" SET a = 1', False),
        ("INSERT INTO t VALUES (1)", False),
        ("TRUNCATE t", False),
        ("DO $$ BEGIN END $$", False),
        (b"SELECT 1", False),
    ],
)
def test_statements_that_write_are_told_from_reads(sql: Any, expected: bool) -> None:
    assert read_only.is_read(sql) is expected
