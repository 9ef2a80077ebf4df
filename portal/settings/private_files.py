"""Private files of the portal's user: umask, modes, durable writes, refusal of exposed keys."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

UMASK = 0o077
_OTHERS = 0o007


def set_umask() -> None:
    """Make files of this process and its children readable only by their owner."""
    os.umask(UMASK)


def write_new(path: Path, content: str | bytes) -> None:
    """Create a file of mode 0600, durably. Raises FileExistsError if it exists."""
    data = content.encode() if isinstance(content, str) else content
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Flush a file that another program wrote, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_private(path: Path) -> None:
    """Remove the rights of group and others from a file or folder, if it exists."""
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & UMASK:
            path.chmod(mode & ~UMASK)


def refuse_readable(name: str, path: Path) -> None:
    """Raise ImproperlyConfigured for a secret that other users may read or change.

    Its group may read it (mode 640). A missing file passes: its reader reports it.
    """
    with suppress(FileNotFoundError):
        if path.stat().st_mode & _OTHERS and not _is_container_secret(path):
            raise ImproperlyConfigured(f"{name}: {path} is readable by everybody; chmod 600 {path}")


def _is_container_secret(path: Path) -> bool:
    """True if a container runtime mounted the file: on a read-only tmpfs.

    In Docker Swarm and Kubernetes, every user of the container can read its secrets.
    """
    read_only = bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    return read_only and _file_system(path) == "tmpfs"


def _file_system(path: Path) -> str:
    """The type of the path's file system, such as `ext4`; empty if /proc does not list it."""
    device = path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with suppress(FileNotFoundError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            mount, _, source = line.partition(" - ")
            if mount.split()[2] == number:
                return source.split()[0]
    return ""
