"""Where a backup may be written: nowhere that a web server or the portal gives files from."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from django.conf import settings

from portal.errors import BackupError

_OPEN_TO_OTHERS = 0o077


def demand_private(folder: Path) -> None:
    """Refuse a folder that is public, or that lies inside one or around one."""
    for public, what in _public_folders():
        if folder == public or public in folder.parents:
            raise BackupError(
                f"{folder} is inside {public}, {what}; name a folder that nobody is given files of"
            )
        if folder in public.parents:
            raise BackupError(f"{folder} holds {public}, {what}; name a folder of its own")


def _public_folders() -> list[tuple[Path, str]]:
    """Folders that bytes are given from, each with what it is."""
    found = [(Path(each).resolve(), "the static files") for each in settings.STATICFILES_DIRS]
    if settings.STATIC_ROOT:
        found.append((Path(settings.STATIC_ROOT).resolve(), "the static files"))
    if settings.WEIGHTS_STORAGE.startswith("file://"):
        store = Path(unquote(settings.WEIGHTS_STORAGE.removeprefix("file://")))
        found.append((store.resolve(), "the store of blobs"))
    return found


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make the folder, for its owner alone, and hold it against other backups."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & _OPEN_TO_OTHERS:
            raise BackupError(f"others may look into {folder}; chmod 700 {folder}")
        descriptor = os.open(folder / ".backups", os.O_RDWR | os.O_CREAT, 0o600)
    except FileExistsError as error:
        raise BackupError(f"{folder} is a file; name a folder") from error
    except OSError as error:
        raise BackupError(f"{folder} cannot be written to ({error.strerror})") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BackupError(f"another backup into {folder} is running; wait for it") from error
    finally:
        os.close(descriptor)
