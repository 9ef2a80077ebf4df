"""Create a backup: the database first, then the blobs that it names, then the index.

A stored blob never changes, so the blobs of a dump still exist when the dump is done. The folder's
name ends in `.part` until it is complete on disk; the next run removes that of a killed run.
"""

import fcntl
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

from django.conf import settings
from django.db import connection

from portal.backup import keys, layout, reread, signature
from portal.backup.layout import Index
from portal.backup.reread import Reread
from portal.databases import postgres, sqlite
from portal.databases.dumps import BlobLine, Dump
from portal.errors import BackupError
from portal.settings import private_files
from weights.storage import BlobStorage, blob_storage, migration, store_at
from weights.storage.migration import BlobToCopy
from weights.storage.models import Blob

#: Uploads older than this in the backup's store were abandoned by a killed run.
ABANDONED_UPLOAD = timedelta(hours=24)


@dataclass(frozen=True)
class Options:
    """`blobs` is the address of the store to copy blobs to; by default beside the backup."""

    blobs: str = ""
    without_blobs: bool = False
    without_keys: bool = False
    unsigned: bool = False
    #: Maximum bytes of the backup's blobs to read again.
    reread: int = reread.MOST


@dataclass
class Created:
    """A finished backup; `damaged` has a sentence for each blob that could not be copied."""

    folder: Path
    database_bytes: int
    keys: list[str]
    #: The public key, `name+id+key`; empty without a signature.
    signed_by: str = ""
    blobs: int = 0
    copied: int = 0
    copied_bytes: int = 0
    present: int = 0
    damaged: list[str] = field(default_factory=list)
    reread: Reread = field(default_factory=Reread)


def create(
    folder: Path, now: datetime, options: Options, progress: Callable[[int], None]
) -> Created:
    """Create a backup below `folder`, named by the time.

    `progress` receives the bytes of each step of copying. Raises BackupError, and the errors of
    the stores.
    """
    folder = folder.resolve()
    refuse_public(folder)
    signing_key = None if options.unsigned else signature.signing_key()
    with locked(folder):
        for abandoned in folder.glob(f"*{layout.UNFINISHED}"):
            shutil.rmtree(abandoned)
        final = folder / f"{now:%Y%m%dT%H%M%SZ}"
        if final.exists():
            raise BackupError(f"{final} already exists; wait a second")
        part = final.with_name(final.name + layout.UNFINISHED)
        part.mkdir(mode=0o700)
        with ExitStack() as unless_whole:
            unless_whole.callback(shutil.rmtree, part)
            created = _fill(part, now, options, _target(folder, options), progress)
            if signing_key is not None:
                created.signed_by = signature.sign(part, signing_key)
            unless_whole.pop_all()
        private_files.sync(part)
        part.rename(final)
        private_files.sync(folder)
        created.folder = final
        reread.note(folder, created.reread)
        return created


# -- the folder -----------------------------------------------------------------------------


def refuse_public(folder: Path) -> None:
    """Raise BackupError for a folder inside or around one that files are served from."""
    for public, name in _public_folders():
        if folder == public or public in folder.parents:
            raise BackupError(
                f"{folder} is inside {public}, {name}; use a folder that no files are served from"
            )
        if folder in public.parents:
            raise BackupError(f"{folder} holds {public}, {name}; use a separate folder")


def _public_folders() -> list[tuple[Path, str]]:
    folders = [(Path(each).resolve(), "the static files") for each in settings.STATICFILES_DIRS]
    if settings.STATIC_ROOT:
        folders.append((Path(settings.STATIC_ROOT).resolve(), "the static files"))
    if settings.WEIGHTS_STORAGE.startswith("file://"):
        store = Path(unquote(settings.WEIGHTS_STORAGE.removeprefix("file://")))
        folders.append((store.resolve(), "the store of blobs"))
    return folders


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create the folder, readable only by its owner, and lock it against other backups."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_mode & private_files.UMASK:
            raise BackupError(f"other users can read {folder}; chmod 700 {folder}")
        lock = (folder / ".backups").open("a")
    except FileExistsError as error:
        raise BackupError(f"{folder} is a file; use a folder") from error
    except FileNotFoundError as error:
        raise BackupError(
            f"there is no folder {folder.parent}: create it first; is its disk mounted?"
        ) from error
    except OSError as error:
        raise BackupError(f"{folder} cannot be written to ({error.strerror})") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError(f"another backup into {folder} is running; wait for it") from error
        yield


# -- its content ----------------------------------------------------------------------------


def _target(folder: Path, options: Options) -> BlobStorage | None:
    """The store that blobs are copied to; None if they are only listed."""
    if options.without_blobs:
        return None
    target = store_at(options.blobs or f"file://{folder}/blobs")
    if target.address == blob_storage().address:
        raise BackupError(f"{target.address} is the portal's own store; name another for --blobs")
    target.create()
    target.sweep(ABANDONED_UPLOAD)
    return target


def _fill(
    part: Path,
    now: datetime,
    options: Options,
    target: BlobStorage | None,
    progress: Callable[[int], None],
) -> Created:
    dump = postgres.dump(part) if connection.vendor == "postgresql" else sqlite.dump(part)
    blob_list = part / layout.BLOB_LIST
    private_files.write_new(blob_list, layout.blob_list_text(dump.blobs))
    key_files = [] if options.without_keys else keys.write(part / layout.KEYS)
    created = Created(part, dump.path.stat().st_size, [path.name for path in key_files])
    created.blobs = len(dump.blobs)
    blobs = options.blobs or layout.BESIDE
    if target is None:
        blobs = blob_storage().address
    else:
        _copy_blobs(dump.blobs, target, created, progress)
        _read_again(dump.blobs, target, created, options.reread, progress)
    files = [dump.path, blob_list, *key_files]
    index = _index(part, now, dump, blobs, created.damaged, files)
    private_files.write_new(part / layout.INDEX, index.as_text())
    return created


def _copy_blobs(
    blobs: Iterable[BlobLine],
    target: BlobStorage,
    created: Created,
    progress: Callable[[int], None],
) -> None:
    source = blob_storage()
    wanted = (_wanted(blob, source) for blob in blobs)
    # Earlier backups checked their blobs' hashes; `_read_again` reads some of them again.
    moved = migration.copy_listed(wanted, source, target, progress, trust_size=True)
    created.copied, created.copied_bytes = moved.copied, moved.copied_bytes
    created.present = moved.present
    created.damaged = [f"{sha256}: {reason}" for sha256, reason in moved.failures]


def _read_again(
    blobs: Iterable[BlobLine],
    target: BlobStorage,
    created: Created,
    most: int,
    progress: Callable[[int], None],
) -> None:
    """Read the backup's blobs again, except those that could not be copied."""
    source = blob_storage()
    missing = {line.partition(":")[0] for line in created.damaged}
    wanted = [_wanted(blob, source) for blob in blobs if blob.sha256 not in missing]
    created.reread = reread.run(wanted, source, target, most, progress)
    created.damaged += [f"{sha256}: {why}" for sha256, why in created.reread.damaged.items()]


def _wanted(blob: BlobLine, source: BlobStorage) -> BlobToCopy:
    """The blob in the version that the portal serves."""
    row = Blob.objects.filter(sha256=blob.sha256).first()
    return BlobToCopy(blob.sha256, blob.size, row.served_version(source) if row else "")


def _index(
    part: Path, now: datetime, dump: Dump, blobs: str, damaged: list[str], files: list[Path]
) -> Index:
    return Index(
        taken_at=now.isoformat(),
        vendor=connection.vendor,
        server=dump.server,
        database=dump.path.name,
        blobs=blobs,
        blob_count=len(dump.blobs),
        blob_bytes=sum(blob.size for blob in dump.blobs),
        damaged=damaged,
        members=[layout.member(part, path) for path in files],
        sealed_rows=dump.sealed_rows,
    )
