"""Start Python programs by a fork, so that imports (about 1.5 s of CPU) happen only once.

A child runs gunicorn, Celery or manage.py like a new interpreter, with its own session,
environment, folder, output and settings; only the apps are already loaded. Its environment may
differ from the fork server's only in `MAY_DIFFER`, which `can_run` checks.
"""

import atexit
import os
import runpy
import subprocess
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import forkserver, get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import connections
from django.utils.functional import empty

from portal.settings.environment import Files
from tests.support.servers import services

#: Variables that only the settings read at import, and children load the settings again.
MAY_DIFFER = {
    *("ACCEL_LOCATION", "ALLOWED_HOSTS", "DATABASE_URL", "DATA_DIR"),
    *("DATABASE_WAIT", "DECISION_UNDO_SECONDS", "DJANGO_SETTINGS_MODULE", "DOWNLOADS_AT_ONCE"),
    *("PUBLIC_URL", "RATE_LIMITS", "READ_ONLY", "S3_ENDPOINT_URL", "S3_PUBLIC_ENDPOINT_URL"),
    *("SINGLE_OPERATOR", "UPLOAD_QUOTA_GB"),
    *("TRUSTED_PROXIES", "WEB_THREADS", "WEB_WORKERS", "WEIGHTS_STORAGE"),
    *("AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_SECRET_ACCESS_KEY"),
    *("DJANGO_ALLOW_ASYNC_UNSAFE", "PYTEST_CURRENT_TEST"),
    *("EMAIL_URL", "LOG_FORMAT", "LOG_LEVEL"),
    *("SECRET_KEY", "LINK_KEYS", "ENCRYPTION_KEYS", "BROKER_URL", "CACHE_URL", "PATH"),
}

_CONTEXT = get_context("forkserver")
_started_with: dict[str, str] = {}


class Forked:
    """A child of the fork server; implements what the suite uses of `subprocess.Popen`."""

    def __init__(
        self,
        command: list[str],
        environment: Mapping[str, str],
        folder: Path,
        files: tuple[str, str, str],
    ) -> None:
        """Run `command`; `files` are the paths of stdin, stdout and stderr."""
        self.args = command
        self._process = _CONTEXT.Process(
            target=_begin, args=(command[1:], dict(environment), str(folder), files)
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the child to exit; return its exit code."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self._process.exitcode

    def send_signal(self, sig: int, /) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)


def start_server(environment: Mapping[str, str]) -> None:
    """Start the fork server unless it is running."""
    if _started_with:
        return
    _started_with.update(_fixed(environment))
    _CONTEXT.set_forkserver_preload(["tests.support.servers.preloaded"])
    names = {
        "DJANGO_SETTINGS_MODULE": "portal.settings.embedded",
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    with patch.dict(os.environ, {**environment, **names}, clear=True):
        forkserver.ensure_running()


def can_run(command: list[str], environment: Mapping[str, str]) -> bool:
    """True if a fork can run this command in this environment."""
    return command[0] == sys.executable and _fixed(environment) == _started_with


def start(command: list[str], log: Path, environment: dict[str, str], folder: Path) -> Forked:
    """Start a command like `services.start`, by a fork."""
    log.touch()
    child = Forked(command, environment, folder, (os.devnull, str(log), str(log)))
    atexit.register(services.stop, child)
    return child


def _fixed(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in MAY_DIFFER}


# -- in the child -------------------------------------------------------------------------


def _begin(
    arguments: list[str], environment: dict[str, str], folder: str, files: tuple[str, str, str]
) -> None:
    assert "tests.support.servers.preloaded" in sys.modules, (
        "the fork server could not import the portal"
    )
    become(arguments, environment, folder, files)


def become(
    arguments: list[str], environment: dict[str, str], folder: str, files: tuple[str, str, str]
) -> None:
    """Make this newly forked process the program in `arguments`."""
    os.setsid()
    os.umask(0o022)  # a login shell's; the settings set the portal's
    _open_standard_files(files)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    arguments = _take_warnings(arguments)
    sys.argv = arguments[1:] if arguments[0] == "-m" else arguments  # which the settings read
    _read_settings_anew()
    _run(arguments)


def _open_standard_files(files: tuple[str, str, str]) -> None:
    """Open stdin, stdout and stderr; the latter two append, so they can be the same file."""
    for number, name in enumerate(files):
        opened = os.open(name, os.O_WRONLY | os.O_APPEND if number else os.O_RDONLY)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = os.fdopen(0, "r", closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)


def _read_settings_anew() -> None:
    """Load this environment's settings, and reset what Django derived from the old ones."""
    before = _values()
    Files.ENVIRON = {}  # drops those of the fork server's install
    for name in [name for name in sys.modules if name.startswith("portal.settings.")]:
        if sys.modules[name] is not sys.modules[Files.__module__]:  # which others import from
            del sys.modules[name]
    settings._wrapped = empty
    # Read on first use, and cached under both names.
    vars(connections).update(_settings=None)
    vars(connections).pop("settings", None)
    with suppress(ImproperlyConfigured):  # which the program itself reports
        for alias in connections:
            with suppress(AttributeError):  # unopened, but created from the old settings
                del connections[alias]
        for name, value in _values().items():
            if before.get(name, empty) != value and name != "DATABASES":
                setting_changed.send(sender=type(settings), setting=name, value=value, enter=True)


def _values() -> dict[str, Any]:
    return {name: getattr(settings, name) for name in dir(settings) if name.isupper()}


def _take_warnings(arguments: list[str]) -> list[str]:
    """Apply the options `-W`; return the other arguments."""
    while arguments[0] == "-W":
        action, _, message = arguments[1].partition(":")
        warnings.filterwarnings(action, message)  # type: ignore[arg-type]
        arguments = arguments[2:]
    return arguments


def _run(arguments: list[str]) -> None:
    """Run the command line like the interpreter."""
    if arguments[0] == "-m":
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(arguments[0], run_name="__main__")
