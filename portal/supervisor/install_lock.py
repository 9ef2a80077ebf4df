"""One process at a time runs an embedded install, or brings one back from a backup."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.errors import QuickstartError


@contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """Hold the folder for this process alone; the kernel lets go of it even after a kill.

    Raises QuickstartError, with the process that holds it.
    """
    with (data_dir / "run" / "quickstart.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise QuickstartError(
                f"Weighbridge runs on {data_dir} already (process {file.read().strip()}); "
                "stop it first, or choose another folder: make run DATA_DIR=…"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
