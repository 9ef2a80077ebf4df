"""A small disk of its own, which a test may fill: a tmpfs, which root alone can mount."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_KIB = 1024


@dataclass(frozen=True)
class Disk:
    """A mounted disk; `size` in bytes is what it holds while it is not full."""

    folder: Path
    size: int

    def fill(self) -> None:
        """Leave no room: what is written stays, what grows is refused (ENOSPC)."""
        for _ in range(20):
            if self._resize(_used(self.folder)):
                return
            time.sleep(0.01)  # it grew while we looked
        raise OSError(f"{self.folder} grows faster than it can be filled")

    def free(self) -> None:
        """Give the room back."""
        assert self._resize(self.size), f"{self.folder} cannot be resized"

    def _resize(self, size: int) -> bool:
        kib = -(-size // _KIB)
        return _run("mount", "-o", f"remount,size={kib}k", str(self.folder)) == ""


def why_none(folder: Path) -> str:
    """Why no disk can be mounted here; empty if one can."""
    if os.geteuid() != 0:
        return "mounting a disk takes root"
    try:
        with small(folder / "probe", 1 << 20):
            return ""
    except OSError as error:
        return str(error)


@contextmanager
def small(folder: Path, size: int) -> Iterator[Disk]:
    """Mount an empty disk of `size` bytes at `folder`; it goes with everything on it."""
    folder.mkdir(parents=True, exist_ok=True)
    if said := _run("mount", "-t", "tmpfs", "-o", f"size={size // _KIB}k", "tmpfs", str(folder)):
        raise OSError(f"no disk can be mounted: {said}")
    try:
        yield Disk(folder, size)
    finally:
        _run("umount", "--lazy", str(folder))  # also while a log of it is open


def _used(folder: Path) -> int:
    facts = os.statvfs(folder)
    return max((facts.f_blocks - facts.f_bfree) * facts.f_frsize, 64 * _KIB)


def _run(*command: str) -> str:
    """What a command complains of; empty when it succeeds."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"
