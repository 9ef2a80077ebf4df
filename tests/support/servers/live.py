"""A real portal for tests: gunicorn and Celery on the test's database."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

from django.db import connection

from portal import processes
from tests.support.servers import forked, proc, services

ROOT = Path(__file__).resolve().parents[3]
#: The suite's environment before any test changes it.
_OUTER = dict(os.environ)
_PROCESS = os.getpid()


@dataclass(frozen=True)
class Files:
    """The standard files of a command."""

    stdin: Path
    stdout: Path
    stderr: Path

    @classmethod
    def made(cls, text: str) -> "Files":
        place = Path(tempfile.mkdtemp(prefix="command-", dir=os.environ["TEST_FOLDER"]))
        made = cls(place / "stdin", place / "stdout", place / "stderr")
        for path in (made.stdin, made.stdout, made.stderr):
            path.write_text(text if path == made.stdin else "")
        return made

    def spawn(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start the command with these files, without a fork of the portal."""
        with ExitStack() as opened:
            return subprocess.Popen(
                command,
                stdin=opened.enter_context(self.stdin.open("rb")),
                stdout=opened.enter_context(self.stdout.open("wb")),
                stderr=opened.enter_context(self.stderr.open("wb")),
                start_new_session=True,
                env=environment,
                cwd=ROOT,
            )

    @property
    def names(self) -> tuple[str, str, str]:
        return str(self.stdin), str(self.stdout), str(self.stderr)


@dataclass
class Command:
    """A running command of manage.py."""

    process: services.Process
    files: Files

    def kill(self) -> int:
        """Kill it; return its exit code, which differs if it had already exited."""
        services.stop(self.process)
        return self.process.wait()

    def finish(self, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Wait for it to exit; return its exit code and output."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        output, errors = self.files.stdout.read_text(), self.files.stderr.read_text()
        return subprocess.CompletedProcess(self.process.args, code, output, errors)


@dataclass
class Portal:
    """A running portal: its URL, its processes by name, and its commands' environment."""

    url: str
    environment: dict[str, str]
    folder: Path
    processes: dict[str, services.Process] = field(default_factory=dict)

    def manage(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a manage.py command on this portal; the caller checks its exit code."""
        return self.begin(*arguments, text=text).finish()

    def begin(self, *arguments: str, text: str = "") -> "Command":
        """Start a manage.py command; the caller waits for it or kills it."""
        return begin([str(ROOT / "manage.py"), *arguments], self.environment, text=text)

    def log(self, name: str) -> str:
        """The output of the process `web` or `worker` so far."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, name: str) -> None:
        """Start `web` or `worker`, also after a kill."""
        address = urlsplit(self.url).netloc
        command = self._web(address) if name == "web" else processes.worker()
        log = self.folder / f"{name}.log"
        start = forked.start if _can_fork(command, self.environment) else services.start
        self.processes[name] = start(command, log, self.environment, ROOT)

    def _web(self, address: str) -> list[str]:
        """The web server's command, with the counts in the child's environment."""
        workers, threads = (int(self.environment[name]) for name in ("WEB_WORKERS", "WEB_THREADS"))
        return processes.web(address, workers=workers, threads=threads)

    def kill(self, name: str) -> None:
        """Kill a process with SIGKILL."""
        services.stop(self.processes.pop(name))

    def wait_for_web(self) -> None:
        self._wait("web", self._answers)
        ours = proc.listening(self.processes["web"].pid)
        assert urlsplit(self.url).port in ours, f"another program answers at {self.url}"

    def wait_for_worker(self) -> None:
        """Wait until the worker answers a ping, so that it accepts tasks."""
        self._wait("worker", lambda: "pong" in self._ping())

    def _wait(self, name: str, answers: Callable[[], bool]) -> None:
        """Wait for a process to respond; if it does not, add its log to the error."""
        try:
            services.wait_until(answers, f"the {name}", pause=0.1)
        except TimeoutError as error:
            error.add_note(self.log(name))
            raise

    def _ping(self) -> str:
        from portal.celery import app

        # One answer is enough; without `limit` it would wait for more until the timeout.
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
    """Run a web server, and with `worker` a worker, on the test's database and `storage`."""
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


def begin(arguments: list[str], environment_: dict[str, str], *, text: str = "") -> Command:
    """Start Python with `arguments`, by a fork if the environment allows it."""
    command = [sys.executable, *arguments]
    files = Files.made(text)
    if _can_fork(command, environment_):
        return Command(forked.Forked(command, environment_, ROOT, files.names), files)
    return Command(files.spawn(command, environment_), files)


def run_on(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Like `portal.databases.checks.run_on`, by a fork, which saves the imports."""
    names = {"DATABASE_URL": url, "PYTHONWARNINGS": ""}
    return begin(list(arguments), {**os.environ, **names}).finish()


def _can_fork(command: list[str], environment_: dict[str, str]) -> bool:
    if os.getpid() != _PROCESS:
        return False  # only the fork server's parent may use it
    forked.start_server(environment("http://127.0.0.1:1", "file:///dev/null/none", _OUTER))
    return forked.can_run(command, environment_)


def environment(url: str, storage: str, outer: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a process that uses this test's database."""
    return {
        **outer,
        "DJANGO_SETTINGS_MODULE": "portal.settings.embedded",
        "DATABASE_URL": database_url(),
        "WEIGHTS_STORAGE": storage,
        "PUBLIC_URL": url,
        # One small server per test is enough.
        "WEB_WORKERS": "1",
        "WEB_THREADS": "32",
        "DOWNLOADS_AT_ONCE": "24",
        "PYTHONWARNINGS": "",
    }


def database_url() -> str:
    """The URL of this process's test database."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    parts = urlsplit(os.environ["DATABASE_URL"])
    # urlunsplit keeps the empty authority of a URL without a host (a unix socket).
    return urlunsplit(parts._replace(path=f"/{name}"))
