"""The target of a move: emptied first, and usable only after all checks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from portal.databases import postgres, sqlite, state
from portal.errors import MoveError
from portal.settings import environment, private_files

#: Django's alias of the target during a move.
ALIAS = "move_target"
_SCHEMES = {"sqlite", "postgres", "postgresql"}


class Target(Protocol):
    #: The DATABASE_URL for the processes that migrate and check the target.
    url: str

    def begin(self) -> None:
        """Empty the target. Raises MoveError and BackupError for one in use."""

    def put_to_use(self) -> None: ...


@contextmanager
def opened(url: str) -> Iterator[Target]:
    """Connect the target as `ALIAS`. Raises MoveError and ImproperlyConfigured."""
    if urlsplit(url).scheme not in _SCHEMES:
        raise MoveError("TARGET_URL is not a database URL; use postgres://… or sqlite:////path")
    database = environment.database_at(url, "TARGET_URL", "DATABASE_PASSWORD")
    if _location(database) == _location(connection.settings_dict):
        raise MoveError("TARGET_URL is the database that this install already uses")
    try:
        if database["ENGINE"].endswith("sqlite3"):
            yield SqliteTarget(Path(database["NAME"]).absolute())
        else:
            _add_connection(database)
            yield PostgresTarget(url)
    finally:
        _remove_connection()


def _location(database: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(database.get(part) or "") for part in ("ENGINE", "HOST", "PORT", "NAME"))


def _add_connection(database: dict[str, Any]) -> None:
    complete = connections.configure_settings({DEFAULT_DB_ALIAS: database})
    connections.settings[ALIAS] = complete[DEFAULT_DB_ALIAS]


def _remove_connection() -> None:
    if ALIAS in connections.settings:
        connections[ALIAS].close()
        del connections[ALIAS]
        del connections.settings[ALIAS]


def _refuse_used(target: BaseDatabaseWrapper) -> None:
    if in_use := state.rows_in_use(target):
        raise MoveError(
            f"the target is not empty ({in_use}): create an empty database and set"
            " TARGET_URL to it; nothing was changed"
        )
    state.refuse_foreign_tables(target)


def _address(target: BaseDatabaseWrapper) -> str:
    """The URL of a PostgreSQL database without its password."""
    found = {part: str(value or "") for part, value in target.settings_dict.items()}
    user = f"{found['USER']}@" if found["USER"] else ""
    port = f":{found['PORT']}" if found["PORT"] else ""
    return f"postgres://{user}{found['HOST']}{port}/{found['NAME']}"


class PostgresTarget:
    """A database that is marked as unfinished until it passes all checks."""

    def __init__(self, url: str) -> None:
        self.url = url

    def begin(self) -> None:
        target = connections[ALIAS]
        try:
            postgres.demand_no_other_connections(target)
            target.connect()
        except OperationalError as error:
            raise MoveError(
                f"the target {_address(target)} cannot be used: {' '.join(str(error).split())};"
                " start it, or correct TARGET_URL or DATABASE_PASSWORD; nothing was changed"
            ) from error
        if not state.is_unfinished_move(target):
            _refuse_used(target)
        with transaction.atomic(using=ALIAS):
            postgres.drop_tables(target)
            state.mark_unfinished_move(target)

    def put_to_use(self) -> None:
        connections[ALIAS].close()  # the server may have closed it during the checks
        connections[ALIAS].connect()
        state.clear_unfinished_move(connections[ALIAS])


class SqliteTarget:
    """A file that gets its final name after it passes all checks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.moving")
        self.url = f"sqlite:///{self._part}"

    def begin(self) -> None:
        if self._path.exists():
            _open(self._path)
            _refuse_used(connections[ALIAS])
            _remove_connection()
        for suffix in ("", "-journal", "-wal", "-shm"):  # of an interrupted move
            Path(f"{self._part}{suffix}").unlink(missing_ok=True)
        private_files.write_new(self._part, b"")
        _open(self._part)

    def put_to_use(self) -> None:
        _remove_connection()
        sqlite.put_in_place(self._part, self._path)


def _open(path: Path) -> None:
    options = {"timeout": 20, "transaction_mode": "IMMEDIATE"}
    engine = "django.db.backends.sqlite3"
    _add_connection({"ENGINE": engine, "NAME": str(path), "OPTIONS": options})
    connections[ALIAS].connect()
