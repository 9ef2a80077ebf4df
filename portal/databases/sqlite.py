"""SQLite: copy the database with the online backup API, and replace it by a rename."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from django.db import connection, connections

from accounts.audit.models import SealBatch
from portal.databases import state
from portal.databases.dumps import BlobLine, Dump
from portal.databases.state import RestoreMark
from portal.errors import BackupError
from portal.settings import private_files
from weights.manifests import store_check


def dump(folder: Path) -> Dump:
    """Copy a consistent snapshot of the database into `folder` while the portal keeps writing."""
    path = folder / "database.sqlite3"
    private_files.write_new(path, b"")  # readable only by its owner
    connection.ensure_connection()
    try:
        with closing(sqlite3.connect(path)) as copy:
            connection.connection.backup(copy)
            copy.execute(f"DROP TABLE IF EXISTS {state.RESTORE_TABLE}")
            copy.execute("PRAGMA journal_mode=DELETE")  # no WAL files beside it
            _check_integrity(copy, path)
            blobs, sealed_rows = _blobs(copy), _sealed_rows(copy)
    except sqlite3.Error as error:
        raise BackupError(f"the database cannot be copied to {folder} ({error})") from error
    private_files.sync(path)
    return Dump(path, blobs, sealed_rows, f"SQLite {sqlite3.sqlite_version}")


def _blobs(copy: sqlite3.Connection) -> list[BlobLine]:
    """Read the list from the copy, so that it matches the database exactly."""
    sql, values = store_check.blobs_to_check().values_list("sha256", "size").query.sql_with_params()
    return [BlobLine(*row) for row in copy.execute(sql.replace("%s", "?"), values)]


def _sealed_rows(copy: sqlite3.Connection) -> int:
    (size,) = copy.execute(f"SELECT max(size) FROM {SealBatch._meta.db_table}").fetchone()  # noqa: S608
    return int(size or 0)


@contextmanager
def restored(dump: Path, scratch: Path, name: str) -> Iterator[str]:
    """Copy the dump into the folder `scratch`; yields the copy's DATABASE_URL."""
    path = scratch / f"{name}.sqlite3"
    _copy(dump, path)
    yield f"sqlite:///{path}"


def restore(dump: Path, mark: RestoreMark) -> None:
    """Replace the settings' database file with a marked copy of the dump, by a rename.

    Raises BackupError while another process has the database open.
    """
    path = Path(connection.settings_dict["NAME"])
    part = path.with_name(f"{path.name}.restoring")
    part.unlink(missing_ok=True)  # left by a killed run
    _copy(dump, part, mark)
    connections.close_all()
    put_in_place(part, path)


def put_in_place(part: Path, path: Path) -> None:
    """Rename the database file `part` to `path`, durably. Raises BackupError if one is in use."""
    for each in (part, path):
        remove_write_ahead_log(each)
    private_files.sync(part)
    part.replace(path)
    private_files.sync(path.parent)


def remove_write_ahead_log(path: Path) -> None:
    """Merge and remove the WAL, which SQLite would otherwise apply to the replacement file."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path)) as database:
            (mode,) = database.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError as error:
        raise BackupError(
            f"another process has {path} open ({error}); stop web, worker and beat, then run the"
            " same command again"
        ) from error
    assert mode == "delete", mode


def _copy(dump: Path, path: Path, mark: RestoreMark | None = None) -> None:
    """Copy a dump to a file of mode 0600 and write the mark into it."""
    private_files.write_new(path, b"")
    try:
        shutil.copyfile(dump, path)
        with closing(sqlite3.connect(path)) as copy:
            _check_integrity(copy, dump)
            if mark is not None:
                with copy:
                    copy.execute(state.CREATE_RESTORE_TABLE)
                    copy.execute(state.INSERT_RESTORE_MARK.replace("%s", "?"), mark)
    except (OSError, sqlite3.Error) as error:
        path.unlink()
        reason = error.strerror if isinstance(error, OSError) else error
        raise BackupError(
            f"the database cannot be copied to {path.parent} ({reason}); free some space there,"
            " then run the same command again"
        ) from error


def _check_integrity(copy: sqlite3.Connection, path: Path) -> None:
    """Raise BackupError, naming `path`, unless SQLite finds the whole file consistent."""
    try:
        (result,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{path} is not a complete database ({error})") from error
    if result != "ok":
        raise BackupError(f"{path} is not a complete database ({result})")
