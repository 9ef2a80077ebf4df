"""Read a running process's state from /proc."""

from pathlib import Path

#: The state of a listening socket in /proc/net/tcp.
_LISTEN = "0A"


def environ(pid: int) -> str:
    """The environment at its start, as lines NAME=value."""
    return Path(f"/proc/{pid}/environ").read_bytes().replace(b"\0", b"\n").decode()


def umask(pid: int) -> str:
    """The umask in octal, such as `0077`."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("Umask:"))


def children(pid: int) -> list[int]:
    """Process ids of the children of its main thread."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def listening(pid: int) -> dict[int, str]:
    """TCP ports on which the process listens -> the IPv4 address, or `::` for all addresses."""
    links = [_target(each) for each in Path(f"/proc/{pid}/fd").iterdir()]
    ours = {link.removeprefix("socket:[").rstrip("]") for link in links if "socket:[" in link}
    ports = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if inode in ours and state == _LISTEN:
                address, _, port = local.partition(":")
                ports[int(port, 16)] = address_of(address)
    return ports


def _target(descriptor: Path) -> str:
    """The file or socket of a descriptor; empty if the process has closed it."""
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


def address_of(hexadecimal: str) -> str:
    """The IPv4 address, whose bytes the kernel writes in reverse order."""
    if len(hexadecimal) > 8:
        return "::" if not int(hexadecimal, 16) else hexadecimal
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(hexadecimal)))
