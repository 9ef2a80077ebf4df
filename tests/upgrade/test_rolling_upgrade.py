"""An upgrade from the last release while people work, and the way back, on PostgreSQL.

Both releases run at the same time on the current schema. docs/upgrading.md has the same steps.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

import psycopg
import pytest
import requests

from tests.conftest import MISSING
from tests.support import factories
from tests.support.servers import live, release, services
from tests.support.servers.release import Release
from tests.upgrade import journeys
from tests.upgrade.traffic import Question, Traffic

pytestmark = [pytest.mark.one_database, pytest.mark.processes]

SEED = Path(__file__).with_name("seed.py")
FILE = "model.safetensors"
BYTES = factories.SMALL_MODEL[FILE]
GATED = f"/acme/gated/resolve/main/{FILE}"


class Server(NamedTuple):
    url: str
    process: services.Process


class Rollout:
    """One install: its database, both releases, and the traffic that must not notice."""

    def __init__(self, folder: Path, old: Release, new: Release, database: str) -> None:
        self.folder, self.old, self.new, self.database = folder, old, new, database
        self.running: list[services.Process] = []
        old.manage("prepare_install")
        old.manage("collectstatic", "--noinput", "--verbosity", "0")
        self.facts = json.loads(old.manage("shell", "-c", SEED.read_text()).splitlines()[-1])
        token, link = self.facts["token"], self.facts["link"]
        self.traffic = Traffic(
            [
                Question(GATED, token, BYTES),
                Question(f"/d/{link}/{FILE}", body=BYTES),
                Question("/acme/free/resolve/main/config.json"),
                Question("/api/models/acme/gated", token),
                Question("/acme/gated"),
            ]
        )

    def start_web(self, version: Release) -> Server:
        """Start a web server, and send it requests once it answers."""
        port = services.free_port()
        url, log = f"http://127.0.0.1:{port}", self.folder / f"web-{port}.log"
        process = version.start("web", log, BIND=f"127.0.0.1:{port}")
        self.running.append(process)
        services.wait_until(lambda: _answers(url), f"the web server: {log}", pause=0.2)
        self.traffic.add(url)
        return Server(url, process)

    def stop_web(self, server: Server) -> None:
        """Take it out of service, then end it as a container or unit is ended."""
        self.traffic.drain(server.url)
        server.process.send_signal(15)
        server.process.wait(60)

    def check_links(self, old: Server, new: Server) -> None:
        """File links of the old release open at both; those of the new one at the new one."""
        path = journeys.file_link(old.url, self.facts["token"], FILE)
        assert [_status(f"{server.url}{path}") for server in (old, new)] == [200, 200]
        path = journeys.file_link(new.url, self.facts["token"], FILE)
        # 0.1.0 does not read the credential that these are bound to (docs/upgrading.md).
        assert [_status(f"{server.url}{path}") for server in (old, new)] == [403, 200]

    def check_access(self, at: Server, name: str) -> None:
        """Somebody who was approved can download, and the worker issues their link."""
        services.wait_until(lambda: self._has_grant(name), f"the grant of {name}")
        assert journeys.fetch_as(at.url, name, GATED) == BYTES
        services.wait_until(lambda: self._has_link(name), f"the link of {name}")

    def _has_grant(self, name: str) -> bool:
        return self._exists("accounts_grant WHERE state = 'active' AND user_id", name)

    def _has_link(self, name: str) -> bool:
        return self._exists("weights_checkpointlink WHERE state = 'issued' AND holder_id", name)

    def _exists(self, condition: str, name: str) -> bool:
        person = "(SELECT id FROM accounts_user WHERE username = %s)"
        query = f"SELECT 1 FROM {condition} = {person}"  # noqa: S608 - conditions of this file
        with psycopg.connect(self.database) as connection:
            return connection.execute(query.encode(), [name]).fetchone() is not None


def documented(command: str) -> list[str]:
    """The arguments of a command of manage.py, as docs/upgrading.md gives it."""
    page = (live.ROOT / "docs" / "upgrading.md").read_text()
    block = page.partition("<!-- run by tests/upgrade/test_rolling_upgrade.py")[2]
    found = re.search(rf"^ {{4}}\.venv/bin/python manage\.py ({command}\b.*)$", block, re.MULTILINE)
    assert found is not None, command
    return found[1].split()


def _status(address: str) -> int:
    return requests.get(address, timeout=60).status_code


def _answers(url: str) -> bool:
    with suppress(URLError, OSError), urlopen(f"{url}/readyz", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


@pytest.fixture
def rollout(tmp_path: Path, _collected_static: None) -> Iterator[Rollout]:
    if not os.environ.get("UPGRADE"):
        pytest.skip("two releases take minutes: make upgrade")
    root = release.check_out(tmp_path)
    if root is None:
        pytest.skip(f"{MISSING}: the history of git; run git fetch --unshallow --tags")
    parts = urlsplit(os.environ["DATABASE_URL"])
    name = f"test_upgrade_{factories.word()}"
    database = urlunsplit(parts._replace(path=f"/{name}"))
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        try:
            (tmp_path / "store").mkdir()
            new = live.environment("http://127.0.0.1:8000", f"file://{tmp_path}/store") | {
                "DATABASE_URL": database,
                "RATE_LIMITS": "off",
                "TRUSTED_PROXIES": "1",
                "WEB_THREADS": "16",
                "DOWNLOADS_AT_ONCE": "12",
            }
            old = Release(root, new | {"DATA_DIR": str(tmp_path / "old"), "PYTHONPATH": ""})
            made = Rollout(tmp_path, old, Release(live.ROOT, new), database)
            yield made
            for process in made.running:
                services.stop(process)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_no_request_fails_during_an_upgrade_and_the_way_back(rollout: Rollout) -> None:
    run, traffic = rollout, rollout.traffic
    first = run.start_web(run.old)
    with traffic.flowing():
        # The schema of today under the old release.
        run.new.manage(*documented("migrate"))
        run.running.append(run.new.start("worker", run.folder / "worker.log"))
        journeys.apply(first.url, "applicant0")
        journeys.approve(first.url)
        run.check_access(first, "applicant0")
        # Both releases at the same time.
        second = run.start_web(run.new)
        run.check_links(first, second)
        journeys.apply(first.url, "applicant1")
        journeys.approve(second.url, "Approve anyway")
        run.check_access(first, "applicant1")
        journeys.apply(second.url, "applicant2")
        journeys.approve(first.url)
        run.check_access(second, "applicant2")
        journeys.read_everything(first.url)
        # The new release alone, and back to the old one on the new schema.
        run.stop_web(first)
        journeys.read_everything(second.url)
        back = run.start_web(run.old)
        run.stop_web(second)
        journeys.apply(back.url, "applicant3")
        journeys.approve(back.url)
        run.check_access(back, "applicant3")
        journeys.read_everything(back.url)
        # Forward again, for good.
        last = run.start_web(run.new)
        run.stop_web(back)
        run.new.manage(*documented("prepare_install"))
        journeys.read_everything(last.url)
    assert traffic.failures == []
    assert len(traffic.served) == 4
    assert min(traffic.served.values()) > 10
    run.new.manage(*documented("verify_audit"))
