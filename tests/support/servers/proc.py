"""What Linux tells of a running process, as `ps` and whoever is the same user read it."""

from pathlib import Path


def environ(pid: int) -> str:
    """The environment that it was started with, as NAME=value lines."""
    return Path(f"/proc/{pid}/environ").read_bytes().replace(b"\0", b"\n").decode()


def umask(pid: int) -> str:
    """In octal, such as `0077`."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("Umask:"))


def children(pid: int) -> list[int]:
    """The processes that its main thread started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
