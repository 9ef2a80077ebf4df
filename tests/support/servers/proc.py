"""Read the state of a running process from /proc."""

from pathlib import Path


def environ(pid: int) -> str:
    """The environment at its start, as NAME=value lines."""
    return Path(f"/proc/{pid}/environ").read_bytes().replace(b"\0", b"\n").decode()


def umask(pid: int) -> str:
    """The umask in octal, such as `0077`."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("Umask:"))


def children(pid: int) -> list[int]:
    """Process ids of the children of its main thread."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
