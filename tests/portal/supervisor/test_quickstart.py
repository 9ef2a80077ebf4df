"""`manage.py quickstart`: a newcomer starts, kills and restarts it."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from celery import Celery
from django.core.management import CommandError, call_command
from kombu.exceptions import OperationalError
from pytest_django import Settings
from redis import RedisError

from accounts.roles.permissions import Role
from portal.settings.data_dir import broker_url
from tests.support.servers import proc, services
from tests.support.servers.install import Install, new_install

pytestmark = [pytest.mark.one_database, pytest.mark.processes]
#: They share one running install, so they belong into one process of the suite.
together = pytest.mark.xdist_group("quickstart")


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """A folder nothing has run on yet."""
    with new_install(tmp_path) as made:
        yield made


# -- while it runs ------------------------------------------------------------------------


@together
def test_the_first_start_says_who_may_sign_in_and_then_that_it_is_ready(running: Install) -> None:
    lines = running.output[: running.output.index("Ready: ")].splitlines()
    assert f"admin: {running.url}/admin/" in lines
    assert len([line for line in lines if line.startswith("password: ")]) == 1
    assert f"\nReady: {running.url}\n" in running.output
    assert running.answers()


@together
def test_the_first_account_has_every_role_and_its_password_is_stored_nowhere(
    running: Install,
) -> None:
    roles = running.query("SELECT role FROM accounts_roleassignment")
    assert {role for (role,) in roles} == set(Role.values)
    (line,) = [line for line in running.output.splitlines() if line.startswith("password: ")]
    password = line.removeprefix("password: ").encode()
    for path in running.data_dir.rglob("*"):
        assert not path.is_file() or password not in path.read_bytes(), path


@together
def test_stylesheets_are_sent_compressed(running: Install) -> None:
    page = requests.get(f"{running.url}/", timeout=30).text
    [sheet] = re.findall(r'rel="stylesheet" href="([^"]+)"', page)
    response = requests.get(running.url + sheet, timeout=30, stream=True)
    assert response.headers["Content-Encoding"] == "gzip"
    assert int(response.headers["Content-Length"]) < len(response.content) / 3


@together
@pytest.mark.requirement("ST-10")
def test_no_process_lets_others_read_what_it_writes(running: Install) -> None:
    running.data_dir.chmod(0o755)  # as if it had been made beforehand
    for name, pid in processes(running):
        assert proc.umask(pid) == "0077", name
    for path in running.data_dir.rglob("*"):
        if path.parent != running.data_dir / "static" and path.exists():
            below_static = running.data_dir / "static" in path.parents
            assert below_static or not path.stat().st_mode & 0o077, path


@together
@pytest.mark.requirement("ST-11")
def test_no_key_is_in_the_environment_of_a_process(running: Install) -> None:
    lines = (running.data_dir / "keys.env").read_text().splitlines()
    keys = [line.partition("=")[2] for line in lines]
    assert len(keys) == 3
    for name, pid in processes(running):
        assert not [key for key in keys if key in proc.environ(pid)], name


def processes(install: Install) -> list[tuple[str, int]]:
    """Each child of the supervisor by its name, and what it started."""
    found = []
    for name in ("broker", "web", "worker", "beat"):
        parent = install.child(name)
        found += [(name, pid) for pid in [parent, *proc.children(parent)]]
    assert len(found) > 4
    return found


@together
@pytest.mark.parametrize("name", ["broker", "web", "worker", "beat"])
def test_a_killed_child_is_started_again(running: Install, name: str) -> None:
    killed = running.child(name)
    os.kill(killed, signal.SIGKILL)
    services.wait_until(lambda: running.child(name) != killed, f"a new {name}")
    services.wait_until(running.answers, "the web server")
    services.wait_until(lambda: _worker_answers(running), "the worker", pause=0.5)
    assert f"{name}: started again, process {running.child(name)}" in running.output


@together
def test_commands_work_while_the_broker_is_dead(running: Install) -> None:
    os.kill(running.child("broker"), signal.SIGKILL)
    made = running.manage("create_account", "mira", "mira@example.org", "--role", "reviewer")
    assert made.returncode == 0, made.stderr
    services.wait_until(lambda: _worker_answers(running), "the worker", pause=0.5)


@together
def test_a_second_instance_on_the_same_folder_is_refused(running: Install) -> None:
    second = Install(running.data_dir, services.free_port(), running.log)
    refused = second.refused("--no-demo")
    assert refused.returncode != 0
    assert "already" in refused.stderr
    assert "DATA_DIR" in refused.stderr
    assert running.answers()


def _worker_answers(install: Install) -> bool:
    try:
        # Not the current app of this process, to which later tests send their tasks.
        with Celery(broker=broker_url(install.data_dir), set_as_current=False) as app:
            return bool(app.control.broadcast("ping", reply=True, timeout=1, limit=1))
    except (OperationalError, RedisError):  # no broker yet, or the one that was killed
        return False


# -- how it ends, and starts again --------------------------------------------------------


def test_killed_or_stopped_and_started_again_it_has_the_same_data_and_demos_and_is_quick(
    install: Install,
) -> None:
    """One install lives through all of it, because each new one prepares and publishes again."""
    install.data_dir = install.data_dir.with_name(("a long name " * 8).strip())
    # A parent that is killed while it publishes takes every child with it.
    install.launch()
    services.wait_until(lambda: _blobs(install) > 40, "the first stored blobs", seconds=300)
    _kill(install)

    first = install.start()
    assert install.answers()
    made = install.query(REVISIONS)
    assert len(made) == 2
    assert int(str(made[1][1])) >= 992
    services.wait_until(
        lambda: install.query("SELECT DISTINCT state FROM weights_revision") == [("visible",)],
        "the verification of the demo checkpoints",
        seconds=300,
        pause=0.5,
    )
    before = install.query("SELECT password FROM accounts_user")
    keys = (install.data_dir / "keys.env").read_text()
    begun = time.monotonic()
    assert install.stop(signal.SIGTERM) == 0
    assert time.monotonic() - begun < max(15, first)
    assert install.processes() == []
    stops = [line for line in install.output.splitlines() if line.endswith(": stopped")]
    assert stops == [f"{name}: stopped" for name in ("beat", "worker", "web", "broker")]
    assert install.manage("shell", "-v0", "-c", PRINT_ADDRESS).stdout.strip() == install.url

    seconds = install.start()
    # On a busy machine the start before, which also published, logs what is slow.
    assert seconds < max(20, first), "a warm start takes about four seconds on an idle machine"
    assert install.query("SELECT password FROM accounts_user") == before
    assert (install.data_dir / "keys.env").read_text() == keys
    assert "password:" not in install.output
    assert install.query(REVISIONS) == made, "published once ever"

    _kill(install)
    install.start("--no-demo")
    assert install.answers()
    assert install.stop(signal.SIGINT) == 0
    assert install.processes() == []

    install.settings["READ_ONLY"] = "1"
    install.start("--no-demo")
    assert install.answers()
    assert "Traceback" not in install.output
    assert "ReadOnly" not in install.output
    assert install.stop(signal.SIGTERM) == 0


def _kill(install: Install) -> None:
    """Kill the parent, and wait for the end of its children, which the kernel kills too."""
    assert install.parent is not None
    install.parent.kill()
    install.parent.wait()
    services.wait_until(lambda: install.processes() == [], "the end of every child")


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


@pytest.mark.parametrize(
    ("port", "words"), [("0", "outside 1"), ("70000", "outside 1"), ("x", "invalid int value")]
)
def test_a_port_that_cannot_be_is_refused(
    settings: Settings, tmp_path: Path, port: str, words: str
) -> None:
    settings.DATA_DIR = tmp_path
    with pytest.raises(CommandError, match=words):
        call_command("quickstart", "--port", port)
    assert list(tmp_path.iterdir()) == []


REVISIONS = "SELECT sha, file_count FROM weights_revision ORDER BY file_count"
PRINT_ADDRESS = "from django.conf import settings; print(settings.PUBLIC_URL)"
