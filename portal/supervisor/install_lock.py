"""A lock on an embedded install, so that only one process runs, restores or moves it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from portal.errors import QuickstartError


@contextmanager
def lock_install(data_dir: Path) -> Iterator[None]:
    """Lock the folder. The kernel releases the lock when the process ends, even if it is killed.

    Raises QuickstartError, with the id of the process that holds the lock.
    """
    with (data_dir / "run" / "quickstart.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise QuickstartError(
                f"Weighbridge already runs on {data_dir} (process {file.read().strip()}); "
                "stop it first, or choose another folder: make run DATA_DIR=…"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextmanager
def lock_if_embedded() -> Iterator[None]:
    """Lock an embedded install, so that `make run` cannot start; do nothing for others."""
    if hasattr(settings, "EMBEDDED_BROKER"):
        with lock_install(settings.DATA_DIR):
            yield
    else:
        yield
