"""Files for the portal's user alone: the umask of every process, and key files that others read."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

UMASK = 0o077
_OTHERS = 0o007


def set_umask() -> None:
    """Let nobody else read what this process and its children write."""
    os.umask(UMASK)


def make_private(path: Path) -> None:
    """Take every right of others from a file or folder that has one, if it is there."""
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & UMASK:
            path.chmod(mode & ~UMASK)


def refuse_readable(name: str, path: Path) -> None:
    """Raise ImproperlyConfigured for a secret that other users may read or change.

    Its group may read it: whoever shares a key with a group says so by 640.
    """
    with suppress(FileNotFoundError):  # whoever reads it says so
        if path.stat().st_mode & _OTHERS and not _is_of_the_container(path):
            raise ImproperlyConfigured(f"{name}: {path} may be read by everybody; chmod 600 {path}")


def _is_of_the_container(path: Path) -> bool:
    """Whether a container runtime mounted it: a tmpfs that this process cannot write to.

    Docker Swarm and Kubernetes mount secrets so, readable by every user of the one container.
    """
    read_only = bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    return read_only and _file_system(path) == "tmpfs"


def _file_system(path: Path) -> str:
    """The type of the file system, such as `ext4`; empty where Linux does not tell."""
    device = path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with suppress(FileNotFoundError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            mount, _, source = line.partition(" - ")
            if mount.split()[2] == number:
                return source.split()[0]
    return ""
