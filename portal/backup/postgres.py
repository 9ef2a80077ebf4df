"""PostgreSQL: dumped by pg_dump and restored by pg_restore, of the server's version or newer."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
from django.db import connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from portal.backup import layout, preflight, restore_marker
from portal.backup.layout import BlobLine, Dump
from portal.backup.restore_marker import Mark
from portal.errors import BackupError
from portal.settings import environment as env
from portal.supervisor.children import tie_to_parent
from weights.manifests import checking

#: A parameter of libpq -> the variable by which its programs take it; arguments would be seen
#: by everybody who lists processes.
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "service": "PGSERVICE",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "options": "PGOPTIONS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
}
#: All of a dump or nothing, whoever owned it.
_AT_ONCE = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges")
#: Seconds in which processes that were just stopped give their connections up.
_PATIENCE = 5.0
#: Where Debian's packages keep the programs of each version.
_DEBIAN = Path("/usr/lib/postgresql")


_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
AND backend_type = 'client backend'
"""


def dump(folder: Path) -> Dump:
    """The database as it stood at one moment, in pg_dump's own format; durable."""
    path = folder / "database.dump"
    program = _program("pg_dump")
    layout.write(path, b"")  # for its owner alone, before a byte is in it
    with transaction.atomic(), connection.cursor() as cursor:
        # The list of blobs and the dump look at one and the same state.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        wanted = checking.to_prove().values_list("sha256", "size")
        blobs = [BlobLine(*row) for row in wanted]
        flags = (
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            f"--exclude-table={restore_marker.TABLE}",
        )
        _run([program, *flags, f"--snapshot={snapshot}", f"--file={path}"], _environment())
    layout.settle(path)
    return Dump(path, blobs, f"PostgreSQL {_server_version()}")


@contextmanager
def restored(dump: Path, scratch: Path, name: str) -> Iterator[str]:
    """A database of this name on the portal's own server, as a DATABASE_URL; dropped at the end.

    Its user must be allowed to make databases.
    """
    environment = _environment()
    programs = [_program(each) for each in ("createdb", "pg_restore", "dropdb")]
    _run([programs[0], "--template=template0", "--encoding=UTF8", name], environment)
    try:
        _run([programs[1], *_AT_ONCE, f"--dbname={name}", str(dump)], environment)
        yield env.database_named("DATABASE_URL", name)
    finally:
        _run([programs[2], "--force", "--if-exists", name], environment)


def restore(dump: Path, restored: Mark) -> None:
    """Fill the database of the settings, whose empty tables go first; one transaction each.

    Killed between the two it leaves an empty database with its mark, into which the next run
    restores. Raises BackupError while others are connected.
    """
    program, environment = _program("pg_restore"), _environment()
    connections.close_all()
    demand_alone(connection)
    with transaction.atomic():
        drop_tables(connection)
        restore_marker.leave(restored)
    # What is no table and would be in the way, such as the triggers' functions, goes as it comes.
    flags = (*_AT_ONCE, "--clean", "--if-exists")
    _run([program, *flags, f"--dbname={environment['PGDATABASE']}", str(dump)], environment)
    restore_marker.note_whole()


def drop_tables(database: BaseDatabaseWrapper) -> None:
    names = ", ".join(map(database.ops.quote_name, preflight.tables(database)))
    if names:
        with database.cursor() as cursor:
            cursor.execute(f"DROP TABLE {names} CASCADE")


def demand_alone(database: BaseDatabaseWrapper) -> None:
    """Refuse while other processes work as the same user, which would see half of it."""
    database.close()
    if database.settings_dict["OPTIONS"].get("pool"):
        database.close_pool()  # type: ignore[attr-defined]
    deadline = time.monotonic() + _PATIENCE
    with psycopg.connect(**database.get_connection_params()) as alone:
        while others := next(alone.execute(_OTHERS))[0]:
            if time.monotonic() > deadline:
                raise BackupError(
                    f"{others} other connections use the database; stop web, worker and beat (and"
                    " a pg_restore that is left of a killed run), then run the same again"
                )
            time.sleep(0.2)


def _server_version() -> int:
    """The server's major version."""
    connection.ensure_connection()
    return int(connection.connection.info.server_version) // 10000


def _environment() -> dict[str, str]:
    """The connection of the settings, as libpq's programs read it."""
    known = connection.get_connection_params()
    ours = {variable: str(known[name]) for name, variable in _VARIABLES.items() if known.get(name)}
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | ours


def _program(name: str) -> str:
    """The first of these programs that knows the server's version. Raises BackupError."""
    wanted = _server_version()
    found = {}
    for folder in _folders():
        path = folder / name
        if os.access(path, os.X_OK) and (version := _version(path)):
            if version >= wanted:
                return str(path)
            found[version] = path
    seen = ", ".join(str(version) for version in sorted(found))
    raise BackupError(
        f"{name} of PostgreSQL {wanted} is needed, and {f'only {seen} was' if seen else 'none was'}"
        f" found; install postgresql-client-{wanted}, or put its folder on PATH"
    )


def _folders() -> list[Path]:
    path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    return [*path, *sorted(_DEBIAN.glob("*/bin"), reverse=True)]


@cache
def _version(program: Path) -> int | None:
    """The program's major version; None for what is no such program."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    found = re.search(r"\(PostgreSQL\) (\d+)", said.stdout)
    return int(found[1]) if found else None


def _run(command: list[str], environment: dict[str, str]) -> None:
    """Run one of the programs to its end; what it says when it fails becomes one sentence."""
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=tie_to_parent(),  # a killed run leaves none at work
    )
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise BackupError(f"{Path(command[0]).name} failed: {said}")
