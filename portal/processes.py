"""The commands of the portal's long-running processes.

`make run` supervises them, and each container runs one (`python -m portal.processes web`), so
both run the same commands.
"""

import os
import sys
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from accounts.background.outages import DATABASE_ERRORS
from portal.databases import state
from portal.settings import environment

_ROOT = str(Path(__file__).resolve().parents[1])


def web(bind: str, *, workers: int | None = None, threads: int | None = None) -> list[str]:
    """The web server, listening on `bind` (`host:port`).

    `workers` processes with `threads` threads each, by default WEB_WORKERS and WEB_THREADS. Every
    download and every half-sent request holds a thread; `portal.server.gunicorn_worker` limits
    for how long.
    """
    workers = workers or environment.whole("WEB_WORKERS", 2, at_least=1, at_most=64)
    threads = threads or environment.whole("WEB_THREADS", 128, at_least=4, at_most=1024)
    return [
        *(sys.executable, "-m", "gunicorn", "portal.wsgi:application"),
        *("--config", "python:portal.server.gunicorn_config"),
        *("--bind", bind, "--worker-class", "portal.server.gunicorn_worker.WebWorker"),
        *_metrics(bind),
        # Load the portal before listening, so that nginx uses another web server meanwhile.
        *("--preload", "--workers", str(workers), "--threads", str(threads)),
        # The same limit as nginx's, twice a percent-encoded path of 1024 characters.
        *("--limit-request-line", "8190"),
        # gunicorn would create the control socket in the user's home folder.
        *("--no-control-socket", "--graceful-timeout", "10", "--log-level", "warning"),
    ]


def _metrics(bind: str) -> list[str]:
    """Also listen on METRICS_ADDRESS. Raises ImproperlyConfigured if it has the port of `bind`."""
    address = environment.address("METRICS_ADDRESS")
    if address and address.rpartition(":")[2] == bind.rpartition(":")[2]:
        raise ImproperlyConfigured(f"METRICS_ADDRESS: {address} has the port of the portal itself")
    return ["--bind", address] if address else []


def worker() -> list[str]:
    """The Celery worker; threads need half the memory of child processes."""
    threads = environment.whole("WORKER_THREADS", 2, at_least=1, at_most=64)
    return [
        *(*_celery(), "worker", "--pool", "threads", "--concurrency", str(threads)),
        *("--without-mingle", "--without-gossip", "--loglevel", "warning"),
        # Nothing is sent to this queue, so the worker only answers pings.
        *(("--queues", "read-only") if environment.flag("READ_ONLY", default=False) else ()),
    ]


def beat(schedule: Path) -> list[str]:
    """Celery beat, with its state in the file `schedule`; run one for any number of workers.

    Not `worker --beat`, whose forked process outlives a killed worker.
    """
    return [*_celery(), "beat", "--schedule", str(schedule), "--pidfile=", "--loglevel", "warning"]


def broker(program: Path, socket: Path, folder: Path) -> list[str]:
    """The embedded broker, only on a unix socket, with its queue in `folder`."""
    return [
        *(str(program), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "600"),
        *("--dir", str(folder), "--appendonly", "yes", "--save", ""),
        *("--maxmemory-policy", "noeviction", "--loglevel", "warning"),
        # At every start it logs remarks on kernel settings, which do not belong in the terminal.
        *("--logfile", str(folder / "broker.log")),
    ]


def main(arguments: list[str]) -> None:
    """Replace this process with the one in `arguments`: web, worker or beat."""
    os.chdir(_ROOT)
    try:
        command = _command(arguments)
        settings.INSTALLED_APPS  # noqa: B018 - loads the settings, to report an error in one line
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    if _is_unfinished_move():
        sys.exit(state.UNFINISHED_MOVE)
    os.execv(command[0], command)


def _is_unfinished_move() -> bool:
    """True if the database must not be used yet; an unavailable one does not stop the start."""
    try:
        return state.is_unfinished_move()
    except DATABASE_ERRORS:
        return False


def _command(arguments: list[str]) -> list[str]:
    bind = environment.text("BIND", "0.0.0.0:8000")
    schedule = environment.folder("BEAT_SCHEDULE", "/tmp/beat")  # noqa: S108 - one per container
    commands = {"web": web(bind), "worker": worker(), "beat": beat(schedule)}
    if len(arguments) != 1 or arguments[0] not in commands:
        sys.exit(f"usage: python -m portal.processes {'|'.join(commands)}")
    return commands[arguments[0]]


def _celery() -> list[str]:
    # Celery warns about root because of pickled tasks; this portal accepts only JSON.
    quiet = ("-W", "ignore:You're running the worker with superuser")
    return [sys.executable, *quiet, "-m", "celery", "--app", "portal", "--quiet"]


if __name__ == "__main__":
    main(sys.argv[1:])
