"""A small disk that a test can fill, as a tmpfs, which only root can mount."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_KIB = 1024


@dataclass(frozen=True)
class Disk:
    """A mounted disk; `size` is its capacity in bytes until `fill`."""

    folder: Path
    size: int

    def fill(self) -> None:
        """Shrink the disk to its content, so that further writes fail (ENOSPC)."""
        for _ in range(20):
            if self._resize(_used(self.folder)):
                return
            time.sleep(0.01)  # the content has grown
        raise OSError(f"{self.folder} grows faster than it can be filled")

    def free(self) -> None:
        """Restore the disk's size."""
        assert self._resize(self.size), f"{self.folder} cannot be resized"

    def _resize(self, size: int) -> bool:
        kib = -(-size // _KIB)
        return _run("mount", "-o", f"remount,size={kib}k", str(self.folder)) == ""


def why_none() -> str:
    """Why no disk can be mounted; empty if one can be."""
    if os.geteuid() != 0:
        return "mounting a disk takes root"
    try:
        with small(1 << 20):
            return ""
    except OSError as error:
        return str(error)


@contextmanager
def small(size: int) -> Iterator[Disk]:
    """Mount an empty disk of `size` bytes; unmount it at the end.

    Its folder is outside `tmp_path`, where later runs of pytest could not remove a killed run's.
    """
    folder = Path(tempfile.mkdtemp(prefix="wb-disk-"))
    if error := _run("mount", "-t", "tmpfs", "-o", f"size={size // _KIB}k", "tmpfs", str(folder)):
        folder.rmdir()
        raise OSError(f"no disk can be mounted: {error}")
    try:
        yield Disk(folder, size)
    finally:
        _run("umount", "--lazy", str(folder))  # works while a log on it is open
        folder.rmdir()


def _used(folder: Path) -> int:
    facts = os.statvfs(folder)
    return max((facts.f_blocks - facts.f_bfree) * facts.f_frsize, 64 * _KIB)


def _run(*command: str) -> str:
    """Run a command; returns its error message, empty if it succeeded."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"
