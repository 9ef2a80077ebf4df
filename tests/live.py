"""A real portal for the tests that talk to one: gunicorn and Celery beside the test's database."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

from django.db import connection

from portal import processes
from tests import forked, services

ROOT = Path(__file__).resolve().parents[1]
#: The environment of the suite, before a test sets anything in it.
_OUTER = dict(os.environ)


@dataclass
class Portal:
    """A running portal: its address, its processes by name, and what its commands need."""

    url: str
    environment: dict[str, str]
    folder: Path
    processes: dict[str, services.Process] = field(default_factory=dict)

    def manage(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a manage.py command against this portal; the caller judges its exit code."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        if _can_fork(command, self.environment):
            return forked.run(command, self.environment, ROOT, text, timeout=300)
        return subprocess.run(
            command,
            input=text,
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def log(self, name: str) -> str:
        """What the process `web` or `worker` has written so far."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, name: str) -> None:
        """Start `web` or `worker`, or start it again after a kill."""
        address = urlsplit(self.url).netloc
        command = self._web(address) if name == "web" else processes.worker()
        log = self.folder / f"{name}.log"
        start = forked.start if _can_fork(command, self.environment) else services.start
        self.processes[name] = start(command, log, self.environment, ROOT)

    def _web(self, address: str) -> list[str]:
        """The numbers are those of the child's environment, not of this process."""
        workers, threads = (int(self.environment[name]) for name in ("WEB_WORKERS", "WEB_THREADS"))
        return processes.web(address, workers=workers, threads=threads)

    def kill(self, name: str) -> None:
        """End a process as the kernel would: at once, without a word."""
        services.stop(self.processes.pop(name))

    def wait_for_web(self) -> None:
        self._wait("web", self._answers)

    def wait_for_worker(self) -> None:
        """Return once the worker answers a ping, which is when it takes work."""
        self._wait("worker", lambda: "pong" in self._ping())

    def _wait(self, name: str, answers: Callable[[], bool]) -> None:
        """Wait for a process to answer; when it does not, what it wrote says why."""
        try:
            services.wait_until(answers, f"the {name}", pause=0.1)
        except TimeoutError as error:
            error.add_note(self.log(name))
            raise

    def _ping(self) -> str:
        from portal.celery import app

        # The first answer is enough; without `limit` it would wait for others until the timeout.
        return str(app.control.broadcast("ping", reply=True, timeout=0.5, limit=1))

    def _answers(self) -> bool:
        try:
            urlopen(f"{self.url}/healthz", timeout=5).close()
        except HTTPError as error:
            error.close()
            return error.code < 500
        except (URLError, OSError):
            return False
        return True


@contextmanager
def portal(
    folder: Path, storage: str, *, worker: bool, settings: Mapping[str, str]
) -> Iterator[Portal]:
    """Run a web server and, if asked, a worker on the test's database, broker and `storage`."""
    url = f"http://127.0.0.1:{services.free_port()}"
    running = Portal(url, environment(url, storage) | dict(settings), folder)
    try:
        running.start("web")
        if worker:
            running.start("worker")
            running.wait_for_worker()
        running.wait_for_web()
        yield running
    finally:
        for name in list(running.processes):
            running.kill(name)


def _can_fork(command: list[str], environment_: dict[str, str]) -> bool:
    forked.start_server(environment("http://127.0.0.1:1", "file:///dev/null/none", _OUTER))
    return forked.can_run(command, environment_)


def environment(url: str, storage: str, outer: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a process needs to act on the database of this test."""
    return {
        **outer,
        "DJANGO_SETTINGS_MODULE": "portal.settings.embedded",
        "DATABASE_URL": database_url(),
        "WEIGHTS_STORAGE": storage,
        "PUBLIC_URL": url,
        # One small server a test: what it must show does not need 256 threads.
        "WEB_WORKERS": "1",
        "WEB_THREADS": "32",
        "DOWNLOADS_AT_ONCE": "24",
        "PYTHONWARNINGS": "",
    }


def database_url() -> str:
    """The URL of the database that pytest-django made for this process."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    parts = urlsplit(os.environ["DATABASE_URL"])
    # A URL without a host (a unix socket) keeps its empty authority only when written out.
    return urlunsplit(parts._replace(path=f"/{name}"))
