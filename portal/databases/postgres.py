"""PostgreSQL: dump and restore with pg_dump and pg_restore of the server's version or newer."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Max
from django.db.utils import load_backend
from psycopg import sql
from psycopg.conninfo import make_conninfo

from accounts.audit.models import SealBatch
from portal.databases import state
from portal.databases.dumps import BlobLine, Dump
from portal.databases.state import RestoreMark
from portal.errors import BackupError
from portal.settings import environment, private_files
from portal.supervisor.children import tie_to_parent
from weights.manifests import store_check

#: Connection parameters of libpq that may be arguments of a program, which every user of the
#: machine can list. Django's other parameters are psycopg's.
_PUBLIC = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()} - {
    *("password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"),
    "client_encoding",
}
#: Restore the whole dump or nothing, owned by the connecting user.
_ATOMICALLY = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges")
#: Seconds for processes that were just stopped to close their connections.
_PATIENCE = 5.0
#: Where Debian's packages install the programs of each version.
_DEBIAN = Path("/usr/lib/postgresql")
_OTHER_CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
AND backend_type = 'client backend'
"""


def dump(folder: Path) -> Dump:
    """Dump one snapshot of the database durably into `folder`, in pg_dump's custom format."""
    path = folder / "database.dump"
    program = _program("pg_dump", connection)
    private_files.write_new(
        path, b""
    )  # created readable by its owner alone, before pg_dump fills it
    with transaction.atomic(), connection.cursor() as cursor:
        # The list of blobs and the dump read the same snapshot.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        blobs = [
            BlobLine(*row) for row in store_check.blobs_to_check().values_list("sha256", "size")
        ]
        sealed_rows = SealBatch.objects.aggregate(most=Max("size"))["most"] or 0
        flags = (
            *("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"),
            *(f"--exclude-table={state.RESTORE_TABLE}", f"--file={path}"),
        )
        with _connection_string(connection) as database:
            _run([program, *flags, f"--dbname={database}"])
    private_files.sync(path)
    return Dump(path, blobs, sealed_rows, f"PostgreSQL {_server_version(connection)}")


@contextmanager
def restored(dump: Path, name: str, url: str = "") -> Iterator[str]:
    """Restore into a new database `name`; yield its DATABASE_URL, and drop it at the end.

    It is on the server of `url`, by default that of the settings' database. Raises BackupError if
    the user may not create databases.
    """
    server = _connected(url) if url else connection
    program = _program("pg_restore", server)
    database = sql.Identifier(name)
    create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(database)
    _execute(server, create)
    try:
        with _connection_string(server, dbname=name) as target:
            _run([program, *_ATOMICALLY, f"--dbname={target}", str(dump)])
        yield environment.database_named(url or environment.text("DATABASE_URL"), name)
    finally:
        _execute(server, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))


def _connected(url: str) -> BaseDatabaseWrapper:
    """A connection to the database at `url` instead of DATABASE_URL. Raises BackupError."""
    if urlsplit(url).scheme not in {"postgres", "postgresql"}:
        raise BackupError("--server is not a URL of PostgreSQL; use postgres://user@host/postgres")
    settings = environment.database_at(url, "--server", "DATABASE_PASSWORD")
    settings = connections.configure_settings({DEFAULT_DB_ALIAS: settings})[DEFAULT_DB_ALIAS]
    server: BaseDatabaseWrapper = load_backend(settings["ENGINE"]).DatabaseWrapper(settings)
    try:
        server.ensure_connection()
    except OperationalError as error:
        raise BackupError(" ".join(str(error).split())) from error
    return server


def restore(dump: Path, mark: RestoreMark) -> None:
    """Replace the tables of the settings' database with the dump, in two transactions.

    The first drops the tables and writes the mark, so a run killed in between starts over.
    Raises BackupError while other processes are connected.
    """
    program = _program("pg_restore", connection)
    connections.close_all()
    demand_no_other_connections(connection)
    with transaction.atomic():
        drop_tables(connection)
        state.write_restore_mark(mark)
    # --clean replaces everything other than tables, such as the triggers' functions.
    flags = (*_ATOMICALLY, "--clean", "--if-exists")
    with _connection_string(connection) as database:
        _run([program, *flags, f"--dbname={database}", str(dump)])


def drop_tables(database: BaseDatabaseWrapper) -> None:
    names = ", ".join(map(database.ops.quote_name, state.tables(database)))
    if names:
        with database.cursor() as cursor:
            cursor.execute(f"DROP TABLE {names} CASCADE")


def demand_no_other_connections(database: BaseDatabaseWrapper) -> None:
    """Raise BackupError while other processes are connected as the same user.

    Raises Django's OperationalError if the server does not answer or refuses the password.
    """
    database.close()
    deadline = time.monotonic() + _PATIENCE
    with (
        database.wrap_database_errors,
        psycopg.connect(**database.get_connection_params()) as ours,
    ):
        while others := next(ours.execute(_OTHER_CONNECTIONS))[0]:
            if time.monotonic() > deadline:
                raise BackupError(
                    f"{others} other connections use the database; stop web, worker and beat (and"
                    " a pg_restore that a killed run left), then run the same command again"
                )
            time.sleep(0.2)


def _execute(server: BaseDatabaseWrapper, statement: sql.Composed) -> None:
    """Run a statement that is not allowed in a transaction."""
    parameters = server.get_connection_params()
    try:
        with psycopg.connect(**parameters, autocommit=True) as session:
            session.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        user = parameters.get("user", "its user")
        raise BackupError(
            f"{user} may not create a database for the drill on this server; as a superuser run"
            f' ALTER ROLE "{user}" CREATEDB, or name another user by --server'
        ) from error
    except psycopg.Error as error:
        raise BackupError(" ".join(str(error).split())) from error


# -- PostgreSQL's programs ------------------------------------------------------------------


@contextmanager
def _connection_string(database: BaseDatabaseWrapper, **changes: str) -> Iterator[str]:
    """The connection of `database` in libpq's form, with `changes`.

    The password is in a temporary file of mode 0600, since arguments and environment of a process
    are easier to read.
    """
    settings = database.get_connection_params()
    parameters = {name: str(settings[name]) for name in _PUBLIC & settings.keys() if settings[name]}
    with tempfile.TemporaryDirectory(prefix="weighbridge-") as folder:
        if password := settings.get("password"):
            escaped = password.replace("\\", r"\\").replace(":", r"\:")
            parameters["passfile"] = f"{folder}/pgpass"
            private_files.write_new(Path(folder) / "pgpass", f"*:*:*:*:{escaped}\n")
        yield make_conninfo(**parameters | changes)


def _program(name: str, server: BaseDatabaseWrapper) -> str:
    """The path of the first program `name` that is of the server's version or newer.

    pg_dump refuses a newer server, and a machine may have several versions installed. Raises
    BackupError, with the package to install.
    """
    wanted = _server_version(server)
    path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    older = set()
    for folder in (*path, *sorted(_DEBIAN.glob("*/bin"), reverse=True)):
        if version := _program_version(folder / name):
            if version >= wanted:
                return str(folder / name)
            older.add(str(version))
    found = f"only {', '.join(sorted(older))} was found" if older else "none was found"
    raise BackupError(
        f"{name} of PostgreSQL {wanted} is needed, and {found};"
        f" install postgresql-client-{wanted}, or put its folder on PATH"
    )


def _server_version(server: BaseDatabaseWrapper) -> int:
    """The server's major version."""
    return int(server.pg_version) // 10000  # type: ignore[attr-defined]


def _program_version(program: Path) -> int | None:
    """The program's major version; None if it cannot be run."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(version[1]) if version else None


def _run(command: list[str]) -> None:
    """Run one of PostgreSQL's programs. Raises BackupError with its message in one line."""
    done = subprocess.run(
        command,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=tie_to_parent(),  # ends it when this process is killed
    )
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise BackupError(f"{Path(command[0]).name} failed: {reason}")
