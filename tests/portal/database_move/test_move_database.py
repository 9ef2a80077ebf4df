"""The whole portal moves between SQLite and PostgreSQL, or the target is not used (OP)."""

import os
import signal
import sqlite3
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from psycopg import sql
from pytest_django import Settings

from accounts.audit.merkle_log import sealer, signed_heads
from accounts.audit.models import AuditEvent
from accounts.background.models import Heartbeat
from accounts.tiers.models import Tier
from accounts.users.models import User
from portal.database_move import move, targets
from portal.database_move import rows as moved_rows
from portal.databases import checks, postgres
from tests.accounts.audit.merkle_log import keys, rows
from tests.support import factories
from tests.support.database import trail
from tests.support.servers import forked, live, services
from tests.support.servers.live import ROOT
from weights.publishing.models import Revision

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.one_database,
    # In one process of the suite, so that `migrate` makes the tables of each kind once.
    pytest.mark.xdist_group("move"),
]
#: Half of the time of a move into an empty database is `migrate`. Tests of all else restore the
#: tables that it made for the first of them.
quick = pytest.mark.usefixtures("restored_tables")

Manage = Callable[..., str]
WEIGHTS = "/acme/small/resolve/main/model.safetensors"


@pytest.fixture
def release(store: Path, gated_tier: Tier) -> Revision:
    """A gated revision of three files, and rows of trail and ledger in two batches."""
    rows.event()
    rows.download()
    sealer.seal()
    revision = factories.published("acme/small", gated_tier)
    sealer.seal()
    return revision


@pytest.fixture
def sqlite_target(tmp_path: Path) -> Path:
    return tmp_path / "target" / "db.sqlite3"


@pytest.fixture
def sqlite_url(sqlite_target: Path) -> str:
    sqlite_target.parent.mkdir()
    return f"sqlite:///{sqlite_target}"


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A new, empty database on the server of the suite."""
    with empty_database() as url:
        yield url


@contextmanager
def empty_database() -> Iterator[str]:
    name = f"moved_{factories.word()}"
    parameters = connection.get_connection_params()
    # Not connected to the test's own database, which is to be alone when it moves.
    elsewhere = parameters | {"dbname": "postgres"}
    with psycopg.connect(**elsewhere, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield live.database_url().replace(str(parameters["dbname"]), name)
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(autouse=True)
def _checks_by_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the target in a fork: a new interpreter would import the portal for each move."""
    monkeypatch.setattr(checks, "run_on", live.run_on)


@pytest.fixture
def restored_tables(
    sqlite_tables: sqlite3.Connection,
    postgres_tables: list[tuple[str, Any, bool]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Let a move make the tables of its target as `migrate` made them once."""

    def restore() -> None:
        target = connections[targets.ALIAS]
        if target.vendor == "sqlite":
            sqlite_tables.backup(target.connection)
            return
        with target.cursor() as cursor:
            for statement, parameters, many in postgres_tables:
                (cursor.executemany if many else cursor.execute)(statement, parameters)

    # The effect of the original, which made these tables.
    monkeypatch.setattr(move, "_migrate", restore)


@pytest.fixture(scope="module")
def sqlite_tables(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any
) -> Iterator[sqlite3.Connection]:
    """A copy in memory of the file that `migrate` makes."""
    url = f"sqlite:///{tmp_path_factory.mktemp('tables')}/db.sqlite3"
    tables = sqlite3.connect(":memory:")
    with django_db_blocker.unblock(), targets.opened(url) as target:
        target.begin()
        move._migrate()
        connections[targets.ALIAS].connection.backup(tables)
    yield tables
    tables.close()


@pytest.fixture(scope="module")
def postgres_tables(django_db_setup: None, django_db_blocker: Any) -> list[tuple[str, Any, bool]]:
    """The statements of `migrate` on an empty database: text, parameters, for many rows."""
    statements: list[tuple[str, Any, bool]] = []

    def note(execute: Any, statement: str, parameters: Any, many: bool, context: Any) -> Any:
        if "SAVEPOINT" not in statement:  # outside a transaction there are none
            statements.append((statement, parameters, many))
        return execute(statement, parameters, many, context)

    with (
        django_db_blocker.unblock(),
        empty_database() as url,
        targets.opened(url) as target,
    ):
        target.begin()
        with connections[targets.ALIAS].execute_wrapper(note):
            move._migrate()
    return statements


def on(url: str, store: Path, folder: Path) -> live.Portal:
    """The install whose database is `url`; nothing of it runs."""
    public = "http://127.0.0.1:1"
    # A separate folder, whose lock no other test holds.
    own = {"DATABASE_URL": url, "DATA_DIR": str(folder / "data")}
    return live.Portal(public, live.environment(public, f"file://{store}") | own, folder)


def ok(portal: live.Portal, *arguments: str) -> str:
    done = portal.manage(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(portal: live.Portal, *arguments: str) -> str:
    done = portal.manage(*arguments)
    assert done.returncode == 1, done.stdout
    return done.stderr


def fetched(url: str, path: str, **headers: str) -> bytes:
    with urlopen(Request(f"{url}{path}", headers=headers), timeout=60) as answer:
        assert answer.url == f"{url}{path}", "not sent to sign in"
        return bytes(answer.read())


# -- there and back -------------------------------------------------------------------------


@pytest.mark.requirement("OP-10")
@pytest.mark.usefixtures("_collected_static")
def test_trail_head_tokens_links_sessions_and_manifests_are_good_on_sqlite_and_on_postgresql_again(
    release: Revision,
    store: Path,
    applicant: User,
    gated_tier: Tier,
    client: Client,
    settings: Settings,
    tmp_path: Path,
    sqlite_url: str,
    postgres_url: str,
) -> None:
    factories.submitted(applicant, gated_tier)
    grant = factories.grant(applicant, gated_tier)
    token = factories.token(applicant, "read-gated")
    link = f"/d/{factories.link_token(applicant, release, grant)}/model.safetensors"
    client.force_login(applicant)
    session = client.cookies["sessionid"].value
    settings.AUDIT_KEY_FILE = keys.write(tmp_path)
    head = tmp_path / "head.txt"
    head.write_text(signed_heads.sign().note)
    erased = factories.person()
    number = erased.pk
    erased.delete()
    last = rows.event()  # which is not sealed before the move
    assert AuditEvent.objects.filter(at=last.at).get().at.microsecond % 1000, "beyond milliseconds"
    sealed = 0

    call_command("move_database", sqlite_url)
    for url, target in ((sqlite_url, postgres_url), (postgres_url, "")):
        folder = tmp_path / factories.word()
        folder.mkdir()
        environment = {"DATABASE_URL": url}
        with live.portal(folder, f"file://{store}", worker=False, settings=environment) as portal:
            with_token = {"Authorization": f"Bearer {token}"}
            assert fetched(portal.url, WEIGHTS, **with_token) == fetched(portal.url, link)
            assert fetched(portal.url, "/access/", Cookie=f"sessionid={session}")
        made, newly_sealed = ok(portal, "shell", "-v0", "-c", NEW_ROWS).split()
        assert int(made) > number, "the id of a row that was deleted is not given again"
        assert int(newly_sealed) > 0
        done = ok(portal, "verify_audit", "--head", str(head))
        assert "signed heads: 2" in done, "its own, and the one that was kept elsewhere"
        assert sealed < (sealed := int(done.partition("rows checked: ")[2].split()[0]))
        if target:
            assert "Moved." in ok(on(url, store, folder), "move_database", target)


NEW_ROWS = """
from accounts.models import User
from accounts.audit.merkle_log import sealer
print(User.objects.create(username="new").pk, sealer.seal())
User.objects.filter(username="new").delete()
"""


# -- broken off -----------------------------------------------------------------------------


@quick
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_move_killed_repeatedly_starts_over_and_its_target_is_not_used_meanwhile(
    release: Revision,
    kind: str,
    request: pytest.FixtureRequest,
    store: Path,
    tmp_path: Path,
    manage: Manage,
) -> None:
    url = request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url")
    target = targets.SqliteTarget if kind == "sqlite" else targets.PostgresTarget
    killed_at(moved_rows, "copy_table", url, call=20)
    killed_at(checks, "failures", url)
    killed_at(target, "put_to_use", url)
    if kind == "sqlite":
        assert not Path(url.removeprefix("sqlite:///")).exists()
    else:
        for command in ("quickstart", "prepare_install", "verify_audit"):
            assert "the target of an unfinished move" in refusal(on(url, store, tmp_path), command)
    assert "Moved." in manage("move_database", url)
    assert "rows checked" in ok(on(url, store, tmp_path), "verify_audit")


def killed_at(module: Any, name: str, url: str, *, call: int = 1) -> None:
    """Move in a child that dies by -9 as it calls this function for the `call`th time."""
    connections.close_all()  # a child must not use its parent's connection
    child = os.fork()
    if child == 0:
        original, calls = getattr(module, name), []

        def die(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            if len(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        setattr(module, name, die)
        try:
            call_command("move_database", url)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"it was not killed in {name}"


@quick
def test_ctrl_c_ends_it_in_a_line_and_leaves_the_source_in_use(
    release: Revision, sqlite_url: str, sqlite_target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> int:
        raise KeyboardInterrupt

    # The terminal's signal at a moment that a test cannot hit from outside.
    monkeypatch.setattr(moved_rows, "copy_table", interrupted)
    with pytest.raises(CommandError, match=r"^stopped: .* start over$") as stopped:
        call_command("move_database", sqlite_url)
    assert stopped.value.returncode == 130
    assert not sqlite_target.exists()
    rows.event()


# -- refused --------------------------------------------------------------------------------


@quick
@pytest.mark.parametrize("kind", ["sqlite_url", "postgres_url"])
def test_a_target_in_use_is_refused_and_left_as_it_was(
    release: Revision,
    applicant: User,
    store: Path,
    tmp_path: Path,
    kind: str,
    request: pytest.FixtureRequest,
) -> None:
    url = request.getfixturevalue(kind)
    portal = on(url, store, tmp_path)
    with targets.opened(url) as target:
        target.begin()
        move._migrate()
        target.put_to_use()
    ok(portal, "prepare_install")  # loads the catalogue
    call_command("move_database", url)  # tables and catalogue alone count as empty
    with pytest.raises(CommandError, match=r"not empty \(1 accounts, .*nothing was changed"):
        call_command("move_database", url)
    assert "rows checked" in ok(portal, "verify_audit")


def test_the_database_of_the_install_itself_is_no_target(release: Revision) -> None:
    with pytest.raises(CommandError, match="already uses"):
        call_command("move_database", live.database_url())
    assert Revision.objects.count() == 1


def test_a_target_that_does_not_answer_is_named_in_one_line_without_its_password(
    release: Revision,
) -> None:
    address = f"127.0.0.1:{services.free_port()}/elsewhere"
    with pytest.raises(CommandError) as refused:
        call_command("move_database", f"postgres://somebody:hidden@{address}")
    message = str(refused.value)
    assert message.startswith(f"the target postgres://somebody@{address} cannot be used: ")
    assert "Connection refused" in message
    assert message.endswith("correct TARGET_URL or DATABASE_PASSWORD; nothing was changed")
    assert "hidden" not in message
    assert "\n" not in message


@pytest.mark.parametrize("url", ["sqlite", "mysql://host/name"])
def test_an_invalid_database_url_is_refused(db: None, url: str) -> None:
    with pytest.raises(CommandError, match="is not a database URL"):
        call_command("move_database", url)


@quick
@pytest.mark.parametrize("kind", ["sqlite_url", "postgres_url"])
def test_a_row_changed_after_its_seal_prevents_the_use_of_the_target(
    release: Revision,
    kind: str,
    request: pytest.FixtureRequest,
    store: Path,
    tmp_path: Path,
    sqlite_target: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    url = request.getfixturevalue(kind)
    first = AuditEvent.objects.order_by("pk")[0]
    with trail.unguarded(), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_auditevent SET result = 'no' WHERE id = %s", [first.pk])
    with pytest.raises(CommandError, match=r"must not be used: the audit trail failed on it"):
        call_command("move_database", url)
    assert f"event {first.pk} (leaf 0) was altered" in capfd.readouterr().err
    if kind == "sqlite_url":
        assert not sqlite_target.exists()
    else:
        assert "the target of an unfinished move" in refusal(
            on(url, store, tmp_path), "prepare_install"
        )


@quick
def test_a_damaged_blob_prevents_the_use_of_the_target(
    release: Revision, store: Path, sqlite_url: str, sqlite_target: Path
) -> None:
    next(path for path in store.rglob("*") if path.is_file()).write_bytes(b"other")
    with pytest.raises(CommandError, match=r"must not be used: the manifests failed on it"):
        call_command("move_database", sqlite_url)
    assert not sqlite_target.exists()


@quick
def test_a_value_that_postgresql_cannot_store_is_named_with_its_row(
    release: Revision,
    applicant: User,
    gated_tier: Tier,
    store: Path,
    tmp_path: Path,
    sqlite_url: str,
    sqlite_target: Path,
    postgres_url: str,
) -> None:
    factories.grant(applicant, gated_tier)
    call_command("move_database", sqlite_url)
    intact = sqlite_target.read_bytes()
    user = f"accounts_user, row {applicant.pk}"
    for change, message in (
        ("UPDATE accounts_user SET first_name = 'a' || char(0)", f"{user}, column"),
        ("UPDATE accounts_user SET first_name = printf('%0999d', 1)", f"{user}: value too long"),
        ("UPDATE accounts_grant SET user_id = 999", "refers to one that does not exist"),
    ):
        sqlite_target.write_bytes(intact)
        with closing(sqlite3.connect(sqlite_target)) as database, database:
            database.execute(change)
        error = refusal_by_a_copy(on(sqlite_url, store, tmp_path), "move_database", postgres_url)
        assert message in error.splitlines()[-1]


def refusal_by_a_copy(portal: live.Portal, *arguments: str) -> str:
    """The refusal of a command that a copy of this process runs, with the same stand-ins."""
    connections.close_all()  # a child must not use its parent's connection
    files = live.Files.made("")
    child = os.fork()
    if child == 0:
        code: Any = 1
        try:
            forked.become(["manage.py", *arguments], portal.environment, str(ROOT), files.names)
        except SystemExit as ended:
            code = ended.code
            if isinstance(code, str):  # as the interpreter does
                sys.stderr.write(code)
                code = 1
        finally:
            sys.stderr.flush()
            os._exit(code or 0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1, files.stdout.read_text()
    return files.stderr.read_text()


# -- writers are blocked --------------------------------------------------------------------


def test_others_at_work_in_the_source_are_refused(
    release: Revision, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A smaller limit: other connections stay open for longer than seconds.
    monkeypatch.setattr(postgres, "_PATIENCE", 0.0)
    with (
        psycopg.connect(**connection.get_connection_params()),
        pytest.raises(CommandError, match="stop web, worker and beat"),
    ):
        call_command("move_database", sqlite_url)


def test_a_running_worker_is_refused(
    start_portal: Callable[..., live.Portal], store: Path, tmp_path: Path, sqlite_url: str
) -> None:
    start_portal(worker=True)
    portal = on(live.database_url(), store, tmp_path)
    assert "is running; stop web, worker and beat" in refusal(portal, "move_database", sqlite_url)


@quick
def test_writers_to_the_source_wait_until_the_move_has_ended(
    release: Revision, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writer_during(checks, "failures", monkeypatch) as outcomes:
        call_command("move_database", sqlite_url)
    assert outcomes == ["LockNotAvailable"]


@contextmanager
def writer_during(module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Tries to write from another connection while the function is called."""
    original, outcomes = getattr(module, name), []

    def write_first(*args: Any, **kwargs: Any) -> Any:
        with psycopg.connect(**connection.get_connection_params()) as other:
            other.execute("SET lock_timeout = '200ms'")
            try:
                other.execute("UPDATE accounts_user SET first_name = 'late'")
                outcomes.append("written")
            except psycopg.Error as error:
                outcomes.append(type(error).__name__)
        return original(*args, **kwargs)

    # Nothing is left out: the writer comes at this moment, and the original runs behind it.
    monkeypatch.setattr(module, name, write_first)
    yield outcomes


# -- how much it holds ----------------------------------------------------------------------


@quick
def test_four_thousand_rows_take_no_more_memory_than_one_thousand(
    db: None,
    store: Path,
    sqlite_url: str,
    sqlite_target: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    peaks = []
    copy_all = move._copy

    def copy_and_measure(*args: Any) -> None:
        tracemalloc.start()
        copy_all(*args)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    # Of the copy alone: `migrate` before it needs more, however many rows there are.
    monkeypatch.setattr(move, "_copy", copy_and_measure)
    for count in (1_000, 3_000):
        now = timezone.now()
        AuditEvent.objects.bulk_create(
            AuditEvent(at=now, action="thing.done", details={"number": number, "more": "x" * 200})
            for number in range(count)
        )
        sealer.seal()
        call_command("move_database", sqlite_url)
        sqlite_target.unlink()
    assert "accounts_auditevent: 4000 rows\n" in capfd.readouterr().err
    assert peaks[1] < peaks[0] * 2, f"four times the rows: {peaks} bytes"


@pytest.mark.requirement("OP-8")
def test_numbers_that_postgresql_spells_otherwise_are_the_same_and_others_are_not() -> None:
    """A float without a fraction becomes an integer in `jsonb`, as in the shipped catalogue."""
    document = {"flop": 4.3e23, "more": [1.5, {"a": 2}]}
    Heartbeat.objects.write("numbers", document)
    assert moved_rows._is_same(document, Heartbeat.objects.get(name="numbers").details)
    assert moved_rows._is_same(document, {"flop": 43 * 10**22, "more": [1.5, {"a": 2}]})
    for other in (
        {"flop": 44 * 10**22, "more": [1.5, {"a": 2}]},
        {"flop": 43 * 10**22, "more": [1.5]},
        {"flop": 43 * 10**22},
        {"flop": "4.3e23", "more": [1.5, {"a": 2}]},
    ):
        assert not moved_rows._is_same(document, other)
