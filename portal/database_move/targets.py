"""The database that rows are moved to: emptied before, put to use only once all is proved."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from portal.backup import layout, postgres, preflight, sqlite
from portal.database_move import unfinished
from portal.errors import MoveError
from portal.settings import environment

#: Under which Django knows the target during a move.
ALIAS = "move_target"
_SCHEMES = {"sqlite", "postgres", "postgresql"}


class Target(Protocol):
    #: What DATABASE_URL is to be for the processes that prepare and check it.
    url: str

    def begin(self) -> None:
        """Refuse what is in use, and empty the rest. Raises MoveError and BackupError."""

    def put_to_use(self) -> None: ...


@contextmanager
def opened(url: str) -> Iterator[Target]:
    """The target of this URL, known to Django as `ALIAS`. Raises ImproperlyConfigured."""
    if urlsplit(url).scheme not in _SCHEMES:
        raise MoveError("TARGET_URL is not a database URL; use postgres://… or sqlite:////path")
    found = environment.database_at(url, "TARGET_URL", "DATABASE_PASSWORD")
    if _place(found) == _place(connection.settings_dict):
        raise MoveError("TARGET_URL is the database that this install uses already")
    try:
        if found["ENGINE"].endswith("sqlite3"):
            yield SqliteTarget(Path(found["NAME"]).absolute())
        else:
            introduce(found)
            yield PostgresTarget(url)
    finally:
        disconnect()


def _place(found: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(found.get(part) or "") for part in ("ENGINE", "HOST", "PORT", "NAME"))


def introduce(found: dict[str, Any]) -> None:
    complete = connections.configure_settings({DEFAULT_DB_ALIAS: found})
    connections.settings[ALIAS] = complete[DEFAULT_DB_ALIAS]


def disconnect() -> None:
    if ALIAS in connections.settings:
        connections[ALIAS].close()
        del connections[ALIAS]
        del connections.settings[ALIAS]


def _demand_empty(target: BaseDatabaseWrapper) -> None:
    if contents := preflight.contents(target):
        raise MoveError(
            f"the target is not empty ({contents}): make an empty database and name it as"
            " TARGET_URL; nothing was changed"
        )
    preflight.demand_ours(target)


class PostgresTarget:
    """Marked as unfinished until all is proved."""

    def __init__(self, url: str) -> None:
        self.url = url

    def begin(self) -> None:
        target = connections[ALIAS]
        postgres.demand_alone(target)
        target.connect()
        if not unfinished.is_marked(target):
            _demand_empty(target)
        with transaction.atomic(using=ALIAS):
            postgres.drop_tables(target)
            unfinished.mark(target)

    def put_to_use(self) -> None:
        connections[ALIAS].close()  # it may have stood idle for long
        connections[ALIAS].connect()
        unfinished.unmark(connections[ALIAS])


class SqliteTarget:
    """Written beside its name, which it gets by a rename once all is proved."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.moving")
        self.url = f"sqlite:///{self._part}"

    def begin(self) -> None:
        if self._path.exists():
            _open(self._path)
            _demand_empty(connections[ALIAS])
            disconnect()
        for suffix in ("", "-journal", "-wal", "-shm"):  # of a move that did not end
            Path(f"{self._part}{suffix}").unlink(missing_ok=True)
        layout.write(self._part, b"")  # for its owner alone, before a byte is in it
        _open(self._part)

    def put_to_use(self) -> None:
        disconnect()
        sqlite.leave_nothing_beside(self._part)
        sqlite.leave_nothing_beside(self._path)
        layout.settle(self._part)
        self._part.replace(self._path)
        layout.settle(self._path.parent)


def _open(path: Path) -> None:
    options = {"timeout": 20, "transaction_mode": "IMMEDIATE"}
    engine = "django.db.backends.sqlite3"
    introduce({"ENGINE": engine, "NAME": str(path), "OPTIONS": options})
    connections[ALIAS].connect()
