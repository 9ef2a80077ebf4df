"""Fixtures: people by role, tiers, stores, and the servers that tests use."""

import fcntl
import gc
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import TransactionTestCase, override_settings
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker, Settings

from accounts.audit.merkle_log import unsealed
from accounts.roles.permissions import Role
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import LicenceVersion, Tier
from accounts.users.models import User
from portal.settings import environment as env
from tests.support import factories, tools
from tests.support.database import databases, emptying, shared_rows, trail
from tests.support.http import rendered_contexts, session_cookies
from tests.support.servers import live, s3
from tests.support.servers.front import Front, front
from tests.support.servers.live import Portal
from weights.delivery import bodies, serving
from weights.storage import blob_storage

MISSING = "a program that these tests need is missing"
LOOPBACK = ("127.", "::1", "localhost", "/", "\0")

# No deadlines, because machines are busy; no randomness, so that failures are reproducible.
hypothesis_settings.register_profile("suite", deadline=None, derandomize=True, database=None)
hypothesis_settings.load_profile("suite")

session_cookies.use_in_test_client()
rendered_contexts.keep_without_copies()


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Give this process a copy of the database; pytest-django would migrate in each process."""
    with django_db_blocker.unblock():
        databases.use_a_copy(os.environ.get("PYTEST_XDIST_WORKER", "alone"))
        emptying.remember_seeds()


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections beyond this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = address if self.family == socket.AF_UNIX else address[0]
        if self.family != socket.AF_UNIX and not str(host).startswith(LOOPBACK):
            raise AssertionError(f"a test tried to connect to {host}, beyond loopback")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """Clear the cache, so that rate limits and progress do not leak between tests."""
    cache.clear()


@pytest.fixture(autouse=True)
def _own_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test its own download slots, without unfinished downloads of earlier tests."""
    slots = bodies.Slots()
    # The slots are global to the process; the replacement has the same class.
    monkeypatch.setattr(bodies, "slots", slots)
    monkeypatch.setattr(serving, "slots", slots)


@pytest.fixture(scope="session", autouse=True)
def _quick_end_of_transactional_tests() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        # The same effect as Django's own teardown, with fewer statements.
        patch.setattr(
            TransactionTestCase, "_fixture_teardown", lambda case: emptying.empty_the_database()
        )
        yield


@pytest.fixture
def own_horizon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this test's rows be sealed at once, by waiting for older transactions elsewhere."""
    original = unsealed._horizon

    def horizon() -> int:
        trail.await_older_transactions_elsewhere()
        return original()

    monkeypatch.setattr(unsealed, "_horizon", horizon)


def pytest_collection_finish() -> None:
    """Exclude the suite's objects from garbage collection, and collect less often.

    Collections took a sixth of the time of page tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Use the argument's name as the id of long bytes.

    Archives contain the time of their creation, so ids made of their bytes differ between xdist
    workers, which then refuse to start.
    """
    return argname if isinstance(val, bytes) and len(val) > 20 else None


# -- programs that may be missing ---------------------------------------------------------


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests whose programs are missing."""
    for item in items:
        wanted = [tool for mark in item.iter_markers("needs") for tool in mark.args]
        missing = [tool for tool in wanted if tools.find(tool) is None]
        if missing:
            item.add_marker(pytest.mark.skip(reason=f"{MISSING}: {', '.join(missing)}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print which tests were skipped because a program is missing."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(
        str(report.longrepr[2]) for report in skipped if MISSING in str(report.longrepr)
    )
    for reason, count in reasons.items():
        terminalreporter.write_line(
            f"NOT CHECKED: {count} tests. {reason.removeprefix('Skipped: ')}"
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With REQUIRE_TOOLS (CI), fail a run that skipped tests because of missing programs."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    short = [report for report in skipped if MISSING in str(report.longrepr)]
    if short and os.environ.get("REQUIRE_TOOLS") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


# -- people -------------------------------------------------------------------------------


@pytest.fixture
def applicant(db: None) -> User:
    """A researcher with a confirmed address and no grant."""
    return factories.person("applicant")


@pytest.fixture
def other_person(db: None) -> User:
    """Another person with a confirmed address and no grant."""
    return factories.person("other")


@pytest.fixture
def reviewer(db: None) -> User:
    return factories.staff("reviewer", Role.REVIEWER)


@pytest.fixture
def lead_reviewer(db: None) -> User:
    return factories.staff("lead", Role.LEAD_REVIEWER)


@pytest.fixture
def release_owner(db: None) -> User:
    return factories.staff("owner", Role.RELEASE_OWNER)


@pytest.fixture
def auditor(db: None) -> User:
    return factories.staff("auditor", Role.AUDITOR)


@pytest.fixture
def administrator(db: None) -> User:
    return factories.staff("administrator", Role.ADMINISTRATOR)


# -- terms --------------------------------------------------------------------------------


@pytest.fixture
def open_tier(db: None) -> Tier:
    return factories.tier("open", AccessMode.OPEN)


@pytest.fixture
def gated_tier(db: None) -> Tier:
    """The reviewed tier of OPT-175B."""
    return factories.tier("opt-175b", AccessMode.REVIEWED)


@pytest.fixture
def licence_version(gated_tier: Tier) -> LicenceVersion:
    """The licence text in force for the gated tier."""
    return factories.in_force(gated_tier)


# -- stores -------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path, settings: Settings) -> Path:
    """The folder of an empty file store that `blob_storage()` returns."""
    folder = tmp_path / "blobs"
    folder.mkdir()
    settings.WEIGHTS_STORAGE = f"file://{folder}"
    blob_storage().create()
    return folder


@pytest.fixture(scope="module")
def shared_setup(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[DjangoDbBlocker]:
    """Rows and a file store shared by the tests of a module, written within `unblock()`.

    Each test is rolled back to them. Fixtures return deep copies of records, since tests also
    change them in memory.
    """
    folder = tmp_path_factory.mktemp("blobs")
    with (
        override_settings(WEIGHTS_STORAGE=f"file://{folder}"),
        shared_rows.kept_for_a_module(django_db_blocker),
    ):
        blob_storage().create()
        yield django_db_blocker


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.Store]:
    """A real S3 store with an empty bucket, started on first use, once per session."""
    with pytest.MonkeyPatch.context() as patch:
        if endpoint := os.environ.get("S3_ENDPOINT_URL"):
            server = s3.Store(endpoint)
            server.wait()
        else:
            patch.setenv("AWS_ACCESS_KEY_ID", s3.ACCESS_KEY)
            patch.setenv("AWS_SECRET_ACCESS_KEY", s3.SECRET_KEY)
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            server = s3.start(tmp_path_factory.mktemp("s3"))
        yield server


@pytest.fixture
def s3_endpoint(s3_server: s3.Store) -> str:
    return s3_server.endpoint


@pytest.fixture
def s3_store(s3_endpoint: str, settings: Settings, request: pytest.FixtureRequest) -> str:
    """`s3://bucket/prefix`: an empty prefix in the S3 store, which `blob_storage()` returns."""
    settings.S3_ENDPOINT_URL = settings.S3_PUBLIC_ENDPOINT_URL = s3_endpoint
    settings.WEIGHTS_STORAGE = f"s3://{s3.BUCKET}/{factories.word()}"
    return str(settings.WEIGHTS_STORAGE)


@pytest.fixture
def no_values_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without values from secret files, and drop those of this test."""
    # `portal.settings.environment` keeps such values as long as the process runs.
    monkeypatch.setattr(env.Files, "ENVIRON", {})


# -- servers ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _collected_static(django_db_setup: None) -> None:
    """Collect static files once for all processes of the suite."""
    environment = live.environment("http://127.0.0.1:1", "file:///dev/null/none")
    with (Path(environment["TEST_FOLDER"]) / "collected").open("a+") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)  # two processes would overwrite each other's files
        if mark.seek(0, os.SEEK_END):
            return
        done = live.Portal("", environment, Path(environment["DATA_DIR"])).manage(
            "collectstatic", "--noinput", "--verbosity", "0"
        )
        assert done.returncode == 0, done.stderr
        mark.write("all")


@pytest.fixture
def start_portal(
    transactional_db: None, _collected_static: None, tmp_path: Path, settings: Settings
) -> Iterator[Callable[..., Portal]]:
    """Start a real portal on this test's database: `start_portal(worker=True)`.

    It uses the store of the test's settings (`store`, `s3_store`). `settings_` adds environment
    variables. All processes are killed at the end.
    """
    with ExitStack() as running:

        def start(*, worker: bool = False, settings_: dict[str, str] | None = None) -> Portal:
            folder = tmp_path / f"portal-{factories.word()}"
            folder.mkdir()
            extra = {"S3_ENDPOINT_URL": settings.S3_ENDPOINT_URL or ""} | (settings_ or {})
            return running.enter_context(
                live.portal(folder, settings.WEIGHTS_STORAGE, worker=worker, settings=extra)
            )

        yield start


@pytest.fixture
def portal_server(store: Path, start_portal: Callable[..., Portal]) -> Portal:
    """A real portal with a worker and a file store."""
    return start_portal(worker=True)


@pytest.fixture
def start_front(
    start_portal: Callable[..., Portal], settings: Settings, tmp_path: Path
) -> Iterator[Callable[..., Front]]:
    """Start nginx and a production portal behind it, on the store of the test's settings.

    Keyword arguments are the portal's environment: `start_front(ACCEL_LOCATION="/blobs/")`.
    """
    blobs = str(settings.WEIGHTS_STORAGE).removeprefix("file://")
    with ExitStack() as running:

        def start(**environment: str) -> Front:
            one = front(start_portal, tmp_path, blobs, settings.S3_ENDPOINT_URL, environment)
            return running.enter_context(one)

        yield start


@pytest.fixture
def manage(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a management command in this process and return its stdout."""

    def run(*arguments: str) -> str:
        capsys.readouterr()
        call_command(*arguments)
        return capsys.readouterr().out

    return run
