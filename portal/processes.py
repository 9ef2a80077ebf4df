"""The portal's long-running processes and their arguments, in one place.

`make run` supervises these commands and the containers run them one each
(`python -m portal.processes web`), so that what is tested is what is deployed.
"""

import os
import sys
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from portal.settings import environment

_HERE = str(Path(__file__).resolve().parents[1])


def web(bind: str, *, workers: int | None = None, threads: int | None = None) -> list[str]:
    """The web server, listening on `bind` (`host:port`).

    Processes and threads of each are those of `WEB_WORKERS` and `WEB_THREADS` unless given.

    Many threads, because every download and every half-sent request holds one; `web_worker`
    says for how long.
    """
    workers = workers or environment.whole("WEB_WORKERS", 2, at_least=1, at_most=64)
    threads = threads or environment.whole("WEB_THREADS", 128, at_least=4, at_most=1024)
    return [
        *(sys.executable, "-m", "gunicorn", "portal.wsgi:application"),
        *("--bind", bind, "--worker-class", "portal.server.gunicorn_worker.WebWorker"),
        *("--workers", str(workers), "--threads", str(threads)),
        # As much as nginx takes: a path of 1024 bytes, three characters each, fits twice.
        *("--limit-request-line", "8190"),
        # The control socket would stand in the home folder of whoever started it.
        *("--no-control-socket", "--graceful-timeout", "10", "--log-level", "warning"),
    ]


def worker() -> list[str]:
    """The Celery worker; threads need half the memory of child processes."""
    tasks_at_once = environment.whole("WORKER_THREADS", 2, at_least=1, at_most=64)
    return [
        *(*_celery(), "worker", "--pool", "threads", "--concurrency", str(tasks_at_once)),
        *("--without-mingle", "--without-gossip", "--loglevel", "warning"),
    ]


def beat(schedule: Path) -> list[str]:
    """The clock. One runs beside any number of workers and keeps its state in `schedule`.

    It is a process of its own: one that a worker forks outlives a killed worker.
    """
    return [*_celery(), "beat", "--schedule", str(schedule), "--pidfile=", "--loglevel", "warning"]


def broker(program: Path, socket: Path, folder: Path) -> list[str]:
    """The embedded broker, on a unix socket alone, keeping its queue in `folder`."""
    return [
        *(str(program), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "600"),
        *("--dir", str(folder), "--appendonly", "yes", "--save", ""),
        *("--maxmemory-policy", "noeviction", "--loglevel", "warning"),
        # It remarks on the kernel's settings at every start: for a file, not for the terminal.
        *("--logfile", str(folder / "broker.log")),
    ]


def main(arguments: list[str]) -> None:
    """Become the process that `arguments` names: web, worker or beat."""
    os.chdir(_HERE)
    try:
        command = _named(arguments)
        settings.INSTALLED_APPS  # noqa: B018 - read now, so that what is wrong is said in a line
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    os.execv(command[0], command)


def _named(arguments: list[str]) -> list[str]:
    bind = environment.text("BIND", "0.0.0.0:8000")
    schedule = environment.folder("BEAT_SCHEDULE", "/tmp/beat")  # noqa: S108 - one a container
    commands = {"web": web(bind), "worker": worker(), "beat": beat(schedule)}
    if len(arguments) != 1 or arguments[0] not in commands:
        sys.exit(f"usage: python -m portal.processes {'|'.join(commands)}")
    return commands[arguments[0]]


def _celery() -> list[str]:
    # Its warning about root is about pickled tasks, which this portal refuses (JSON alone).
    quiet = ("-W", "ignore:You're running the worker with superuser")
    return [sys.executable, *quiet, "-m", "celery", "--app", "portal", "--quiet"]


if __name__ == "__main__":
    main(sys.argv[1:])
