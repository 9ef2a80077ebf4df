"""`manage.py quickstart`: what a newcomer starts, kills, and starts again."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from accounts.roles import Role
from tests import services
from tests.live import ROOT

pytestmark = [pytest.mark.one_database, pytest.mark.xdist_group("quickstart")]

# Named by the suite for itself; an embedded install finds its own.
FOREIGN = ("SECRET_KEY", "LINK_KEYS", "DATABASE_URL", "BROKER_URL", "CACHE_URL", "PUBLIC_URL")


@dataclass
class Install:
    """One DATA_DIR, and the quickstart that may run on it."""

    data_dir: Path
    port: int
    log: Path
    parent: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        names = {
            "DJANGO_SETTINGS_MODULE": "portal.settings.embedded",
            "DATA_DIR": str(self.data_dir),
        }
        return kept | names | {"WEB_WORKERS": "1", "WEB_THREADS": "16", "DOWNLOADS_AT_ONCE": "8"}

    def start(self, *options: str) -> float:
        """Start it and wait for `Ready:`; the seconds that took."""
        begun = time.monotonic()
        self.launch(*options)
        services.wait_until(self._is_ready_or_over, "Ready", seconds=120)
        assert "\nReady: " in self.said, self.said
        return time.monotonic() - begun

    def launch(self, *options: str) -> subprocess.Popen[bytes]:
        """Start it and wait for nothing."""
        self.log.write_text("")
        command = [sys.executable, "manage.py", "quickstart", "--port", str(self.port), *options]
        self.parent = services.start(command, self.log, self.environment, ROOT)
        return self.parent

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        assert self.parent is not None
        self.parent.send_signal(number)
        return self.parent.wait(timeout=40)

    def refused(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Start one that is expected to end by itself."""
        command = [sys.executable, "manage.py", "quickstart", "--port", str(self.port), *options]
        return subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=60
        )

    @property
    def said(self) -> str:
        return "\n" + self.log.read_text(errors="replace")

    def child(self, name: str) -> int:
        """The process id that it last named for `broker`, `web`, `worker` or `beat`."""
        lines = [line for line in self.said.splitlines() if line.startswith(f"{name}: started")]
        return int(lines[-1].rpartition(" ")[2])

    def answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def processes(self) -> list[str]:
        """Command lines of every process of this install that still runs."""
        return [line for line in _command_lines() if self._is_ours(line)]

    def query(self, sql: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.data_dir / "db.sqlite3")) as database:
            return database.execute(sql).fetchall()

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=120
        )

    def _is_ready_or_over(self) -> bool:
        assert self.parent is not None
        return "\nReady: " in self.said or self.parent.poll() is not None

    def _is_ours(self, line: str) -> bool:
        return str(self.data_dir) in line


def _command_lines() -> list[str]:
    """The command line and DATA_DIR of each process of this machine that we may read."""
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
            names = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if words:  # a zombie has none
            home = b" ".join(name for name in names if name.startswith(b"DATA_DIR="))
            lines.append(f"{words.decode(errors='replace')} {home.decode(errors='replace')}")
    return lines


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """A folder nothing has run on yet."""
    yield from _made_in(tmp_path)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Install]:
    """One running install for every test that leaves it running."""
    for made in _made_in(tmp_path_factory.mktemp("running")):
        made.start("--no-demo")
        yield made


def _made_in(folder: Path) -> Iterator[Install]:
    made = Install(folder / "install", services.free_port(), folder / "log")
    yield made
    if made.parent and made.parent.poll() is None:
        made.stop()
    services.wait_until(lambda: not made.processes(), "the end of every child", seconds=10)


# -- while it runs ------------------------------------------------------------------------


def test_the_first_start_says_who_may_sign_in_and_then_that_it_is_ready(running: Install) -> None:
    lines = running.said[: running.said.index("Ready: ")].splitlines()
    assert f"admin: {running.url}/admin/" in lines
    assert len([line for line in lines if line.startswith("password: ")]) == 1
    assert f"\nReady: {running.url}\n" in running.said
    assert running.answers()


def test_the_first_account_has_every_role_and_its_password_is_kept_nowhere(
    running: Install,
) -> None:
    roles = running.query("SELECT role FROM accounts_roleassignment")
    assert {role for (role,) in roles} == set(Role.values)
    (line,) = [line for line in running.said.splitlines() if line.startswith("password: ")]
    password = line.removeprefix("password: ").encode()
    for path in running.data_dir.rglob("*"):
        assert not path.is_file() or password not in path.read_bytes(), path


@pytest.mark.parametrize("name", ["broker", "web", "worker", "beat"])
def test_a_killed_child_is_started_again(running: Install, name: str) -> None:
    killed = running.child(name)
    os.kill(killed, signal.SIGKILL)
    services.wait_until(lambda: running.child(name) != killed, f"a new {name}", seconds=15)
    services.wait_until(running.answers, "the web server", seconds=15)
    services.wait_until(lambda: _worker_answers(running), "the worker", seconds=30, pause=0.5)


def test_commands_work_while_the_broker_is_dead(running: Install) -> None:
    os.kill(running.child("broker"), signal.SIGKILL)
    made = running.manage("create_account", "mira", "mira@example.org", "--role", "reviewer")
    assert made.returncode == 0, made.stderr
    services.wait_until(lambda: _worker_answers(running), "the worker", seconds=30, pause=0.5)


def test_a_second_instance_on_the_same_folder_is_refused(running: Install) -> None:
    second = Install(running.data_dir, services.free_port(), running.log)
    refused = second.refused("--no-demo")
    assert refused.returncode != 0
    assert "already" in refused.stderr
    assert "DATA_DIR" in refused.stderr
    assert running.answers()


def _worker_answers(install: Install) -> bool:
    question = "from portal import celery_app; print(celery_app.control.ping(timeout=1))"
    return "pong" in install.manage("shell", "-v0", "-c", question).stdout


# -- how it ends, and starts again --------------------------------------------------------


def test_stopped_and_started_again_it_has_the_same_data_and_is_quick(install: Install) -> None:
    install.start("--no-demo")
    before = install.query("SELECT password FROM accounts_user")
    keys = (install.data_dir / "keys.env").read_text()
    begun = time.monotonic()
    assert install.stop(signal.SIGTERM) == 0
    assert time.monotonic() - begun < 15
    assert install.processes() == []
    stops = [line for line in install.said.splitlines() if line.endswith(": stopped")]
    assert stops == [f"{name}: stopped" for name in ("beat", "worker", "web", "broker")]
    assert install.manage("shell", "-v0", "-c", PRINT_ADDRESS).stdout.strip() == install.url

    seconds = install.start("--no-demo")
    assert seconds < 20, "a warm start takes about four seconds on an idle machine"
    assert install.query("SELECT password FROM accounts_user") == before
    assert (install.data_dir / "keys.env").read_text() == keys
    assert "password:" not in install.said
    assert install.stop(signal.SIGINT) == 0
    assert install.processes() == []


def test_a_killed_parent_takes_every_child_with_it(install: Install) -> None:
    install.start("--no-demo")
    assert install.parent is not None
    os.kill(install.parent.pid, signal.SIGKILL)
    install.parent.wait()
    services.wait_until(lambda: install.processes() == [], "the end of every child", seconds=10)
    install.start("--no-demo")
    assert install.answers()


def test_the_demo_checkpoints_survive_a_kill_and_are_published_once_ever(install: Install) -> None:
    parent = install.launch()
    services.wait_until(lambda: _blobs(install) > 40, "the first stored blobs", seconds=60)
    parent.kill()
    parent.wait()
    services.wait_until(lambda: install.processes() == [], "the end of every child", seconds=10)

    install.start()
    made = install.query("SELECT sha, file_count FROM weights_revision ORDER BY file_count")
    assert len(made) == 2
    assert int(str(made[1][1])) >= 992
    services.wait_until(
        lambda: install.query("SELECT DISTINCT state FROM weights_revision") == [("visible",)],
        "the verification of the demo checkpoints",
        seconds=90,
        pause=0.5,
    )
    install.stop()
    install.start()
    again = install.query("SELECT sha, file_count FROM weights_revision ORDER BY file_count")
    assert again == made


def _blobs(install: Install) -> int:
    return sum(1 for _ in (install.data_dir / "blobs").glob("*/*/*"))


# -- what it refuses ----------------------------------------------------------------------


def test_a_busy_port_is_named_with_a_remedy_before_anything_is_made(install: Install) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", install.port))
        other.listen()
        refused = install.refused("--no-demo")
    assert refused.returncode != 0
    assert f"127.0.0.1:{install.port}" in refused.stderr
    assert f"make run PORT={install.port + 1}" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (install.data_dir / "db.sqlite3").exists()


@pytest.mark.parametrize("port", ["0", "70000", "x"])
def test_a_port_that_cannot_be_is_refused(install: Install, port: str) -> None:
    refused = install.refused("--port", port)
    assert refused.returncode != 0
    assert refused.stderr


def test_a_folder_with_a_long_name_and_spaces_is_no_obstacle(install: Install) -> None:
    install.data_dir = install.data_dir.with_name(("a long name " * 8).strip())
    install.start("--no-demo")
    assert install.answers()
    assert install.stop() == 0
    assert install.processes() == []


PRINT_ADDRESS = "from django.conf import settings; print(settings.PUBLIC_URL)"
