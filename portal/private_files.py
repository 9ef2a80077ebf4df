"""Files for the portal's user alone: the umask of every process, and what was left open."""

import os
import stat
from contextlib import suppress
from pathlib import Path

UMASK = 0o077


def set_umask() -> None:
    """Let nobody else read what this process and its children write."""
    os.umask(UMASK)


def make_private(path: Path) -> None:
    """Take every right of others from a file or folder that has one, if it is there."""
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & UMASK:
            path.chmod(mode & ~UMASK)
