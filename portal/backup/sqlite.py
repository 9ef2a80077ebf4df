"""SQLite: copied by its own online backup while the portal writes on."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from django.db import connection, connections

from portal.backup import layout, restore_marker
from portal.backup.layout import BlobLine, Dump
from portal.backup.restore_marker import Mark
from portal.errors import BackupError
from weights.manifests import checking


def dump(folder: Path) -> Dump:
    """The database as it stood at one moment, in a file of its own; durable."""
    path = folder / "database.sqlite3"
    layout.write(path, b"")  # for its owner alone, before a byte is in it
    connection.ensure_connection()
    try:
        with closing(sqlite3.connect(path)) as copy:
            connection.connection.backup(copy)
            copy.execute(f"DROP TABLE IF EXISTS {restore_marker.TABLE}")
            copy.execute("PRAGMA journal_mode=DELETE")  # it needs no files beside it
            _demand_whole(copy, path)
            blobs = _blobs(copy)
    except sqlite3.Error as error:
        raise BackupError(f"the database cannot be copied to {folder} ({error})") from error
    layout.settle(path)
    return Dump(path, blobs, f"SQLite {sqlite3.sqlite_version}")


def _blobs(copy: sqlite3.Connection) -> list[BlobLine]:
    """Asked of the copy, so that list and database are of one moment."""
    wanted = checking.to_prove().values_list("sha256", "size")
    sql, values = wanted.query.sql_with_params()
    rows = copy.execute(sql.replace("%s", "?"), values)
    return [BlobLine(*row) for row in rows]


@contextmanager
def restored(dump: Path, scratch: Path, name: str) -> Iterator[str]:
    """A copy of the dump in the scratch folder, as a DATABASE_URL; it goes with the folder."""
    path = scratch / f"{name}.sqlite3"
    layout.write(path, b"")
    shutil.copyfile(dump, path)
    with closing(sqlite3.connect(path)) as copy:
        _demand_whole(copy, dump)
    yield f"sqlite:///{path}"


def restore(dump: Path, restored: Mark) -> None:
    """Put a copy of the dump, marked, in the place of the database of the settings, by a rename.

    Raises BackupError while another process has it open.
    """
    path = Path(connection.settings_dict["NAME"])
    part = path.with_name(f"{path.name}.restoring")
    part.unlink(missing_ok=True)  # of a run that was killed
    layout.write(part, b"")
    shutil.copyfile(dump, part)
    with closing(sqlite3.connect(part)) as copy:
        _demand_whole(copy, dump)
        with copy:
            copy.execute(restore_marker.CREATE)
            copy.execute(*restore_marker.insertion(replace(restored, whole=True)))
    layout.settle(part)
    connections.close_all()
    leave_nothing_beside(path)
    part.replace(path)
    layout.settle(path.parent)


def leave_nothing_beside(path: Path) -> None:
    """End the old file's log of writes, which would be taken for one of the new file."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path)) as old:
            (mode,) = old.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError as error:
        raise BackupError(
            f"another process has {path} open ({error}); stop web, worker and beat, then run the"
            " same again"
        ) from error
    assert mode == "delete", mode


def _demand_whole(copy: sqlite3.Connection, path: Path) -> None:
    try:
        said = [row[0] for row in copy.execute("PRAGMA integrity_check(1)")]
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{path} is no whole database ({error})") from error
    if said != ["ok"]:
        raise BackupError(f"{path} is no whole database ({said[0]})")
