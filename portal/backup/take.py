"""Take a backup: the database first, then every blob that it names, then the keys.

A blob never changes once it stands, so whatever a dump names is still there when the dump is
done. Until all is on the disk the folder is called `.part`; a run that was killed leaves
one, which the next run removes, and blobs, which the next run need not copy.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from django.db import connection

from portal.backup import keys, layout, places, postgres, sqlite
from portal.backup.layout import BlobLine, Dump, Statement
from portal.errors import BackupError
from weights.storage import BlobStorage, blob_storage, migration, store_at
from weights.storage.migration import Wanted
from weights.storage.models import Blob

#: How long an upload may be on its way before it counts as left behind.
LEFTOVER = timedelta(hours=24)


@dataclass
class Taken:
    """A backup that was taken; `damaged` are blobs that it could not have, a sentence each."""

    folder: Path
    database_bytes: int
    keys: list[str]
    blobs: int = 0
    copied: int = 0
    copied_bytes: int = 0
    present: int = 0
    damaged: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Wish:
    """What to leave out, and where blobs go if not beside the backup."""

    blobs: str = ""
    without_blobs: bool = False
    without_keys: bool = False


def take(
    folder: Path, now: datetime, wish: Wish, progress: Callable[[int], None] | None = None
) -> Taken:
    """A backup in `folder`, named by the time. Raises BackupError, and what a store raises."""
    folder = folder.resolve()
    places.demand_private(folder)
    with places.held(folder):
        _sweep(folder)
        final = folder / f"{now:%Y%m%dT%H%M%SZ}"
        if final.exists():
            raise BackupError(f"{final} is there already; wait a second")
        part = final.with_name(final.name + layout.UNFINISHED)
        part.mkdir(mode=0o700)
        try:
            taken = _fill(part, now, wish, _target(folder, wish), progress or (lambda count: None))
        except BaseException:
            shutil.rmtree(part)
            raise
        layout.settle(part)
        part.rename(final)
        layout.settle(folder)
        taken.folder = final
        return taken


def _sweep(folder: Path) -> None:
    """Remove what runs that were killed left behind; nobody else is at work here."""
    for leftover in folder.glob(f"*{layout.UNFINISHED}"):
        shutil.rmtree(leftover)


def _target(folder: Path, wish: Wish) -> BlobStorage | None:
    """Where blobs are copied to; None where they are only listed."""
    if wish.without_blobs:
        return None
    target = store_at(wish.blobs or f"file://{folder}/blobs")
    if target.address == blob_storage().address:
        raise BackupError(f"{target.address} is the portal's own store; name another for --blobs")
    target.set_up()
    target.sweep(LEFTOVER)
    return target


def _fill(
    part: Path,
    now: datetime,
    wish: Wish,
    target: BlobStorage | None,
    progress: Callable[[int], None],
) -> Taken:
    dump = _dump(part)
    layout.write_blob_list(part / layout.BLOB_LIST, dump.blobs)
    written = [] if wish.without_keys else keys.write(part / layout.KEYS)
    taken = Taken(part, dump.path.stat().st_size, [path.name for path in written])
    taken.blobs = len(dump.blobs)
    if target is not None:
        _copy(dump.blobs, target, taken, progress)
    files = [dump.path, part / layout.BLOB_LIST, *written]
    statement = _statement(part, now, dump, wish, target, taken, files)
    layout.write(part / layout.STATEMENT, statement.as_text())
    return taken


def _dump(part: Path) -> Dump:
    return postgres.dump(part) if connection.vendor == "postgresql" else sqlite.dump(part)


def _copy(
    blobs: Iterable[BlobLine],
    target: BlobStorage,
    taken: Taken,
    progress: Callable[[int], None],
) -> None:
    source, wanted = blob_storage(), _wanted(blobs, blob_storage())
    # What an earlier backup put there got its name by its hash; `restore_drill` reads it all.
    moved = migration.move_listed(wanted, source, target, progress, trust_size=True)
    taken.copied, taken.copied_bytes = moved.copied, moved.copied_bytes
    taken.present = moved.present
    taken.damaged = [f"{sha256}: {why}" for sha256, why in moved.failures]


def _wanted(blobs: Iterable[BlobLine], source: BlobStorage) -> Iterator[Wanted]:
    """In the version that people are given."""
    for blob in blobs:
        row = Blob.objects.filter(sha256=blob.sha256).first()
        yield Wanted(blob.sha256, blob.size, row.served_version(source) if row else "")


def _statement(
    part: Path,
    now: datetime,
    dump: Dump,
    wish: Wish,
    target: BlobStorage | None,
    taken: Taken,
    files: list[Path],
) -> Statement:
    blobs = wish.blobs or (layout.BESIDE if target is not None else blob_storage().address)
    return Statement(
        taken_at=now.isoformat(),
        vendor=connection.vendor,
        server=dump.server,
        database=dump.path.name,
        blobs=blobs,
        blob_count=len(dump.blobs),
        blob_bytes=sum(blob.size for blob in dump.blobs),
        damaged=taken.damaged,
        members=[layout.measured(part, path) for path in files],
    )
