"""The infrastructure of a run: database, store and disk, and their possible faults."""

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests.chaos.trouble import Nuisance
from tests.support import disks
from tests.support.servers import s3

#: Bytes of the disk that holds a whole install; a long run publishes some 200 MB.
DISK = 1 << 30


@dataclass
class Ground:
    """The folder of an install, its further settings, and possible faults."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    nuisances: list[Nuisance] = field(default_factory=list)


@contextmanager
def files(_folder: Path) -> Iterator[Ground]:
    """SQLite, blobs and queue on one disk, which fills up now and then."""
    with disks.small(DISK) as disk:
        full = Nuisance("disk full", disk.fill, disk.free)
        yield Ground(disk.folder, nuisances=[full])


@contextmanager
def servers(folder: Path) -> Iterator[Ground]:
    """PostgreSQL, whose connections are cut, and an S3 store, which hangs or dies."""
    store = s3.start(folder / "s3")
    try:
        with _database() as url:
            settings = {
                "DATABASE_URL": url,
                "WEIGHTS_STORAGE": f"s3://{s3.BUCKET}/chaos",
                "S3_ENDPOINT_URL": store.endpoint,
                "AWS_ACCESS_KEY_ID": s3.ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": s3.SECRET_KEY,
                "AWS_DEFAULT_REGION": "us-east-1",
            }
            nuisances = [
                Nuisance("store silent", *_silence(store)),
                Nuisance("store killed", store.stop, store.start),
                Nuisance("database hung up", lambda: _hang_up(url), lambda: None, lasts=(0, 0)),
            ]
            yield Ground(folder, settings, nuisances)
    finally:
        store.stop()


GROUNDS = {"files": files, "servers": servers}


def _silence(store: s3.Store) -> tuple[Callable[[], None], Callable[[], None]]:
    """Returns functions that suspend and resume the store's process."""

    def send(number: int) -> None:
        assert store.process is not None
        with suppress(ProcessLookupError):
            os.killpg(store.process.pid, number)

    return (lambda: send(signal.SIGSTOP)), (lambda: send(signal.SIGCONT))


@contextmanager
def _database() -> Iterator[str]:
    """Create a database on the session's server; yields its URL."""
    server = os.environ["DATABASE_URL"]
    name = f"chaos_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


def _hang_up(url: str) -> None:
    """Terminate all other connections to the database, as a restart of the server does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
