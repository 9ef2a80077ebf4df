"""Functions of a compromised parser, run in a test's child process."""

import ctypes
import os
import socket
import time
from pathlib import Path
from typing import Any

from weights.inspection.formats.source import Source

_LIBRARY = ctypes.PyDLL(None, use_errno=True)
#: Looked up before the sandbox is entered: the audit hook would refuse it later.
NATIVE = {
    name: getattr(_LIBRARY, name)
    for name in ("socket", "fork", "open", "unlink", "kill", "execv", "memset")
}


def hang(source: Source) -> dict[str, Any]:
    time.sleep(60)
    return {}


def eat_memory(source: Source) -> dict[str, Any]:
    return {"size": len(bytearray(2 * 1024**3))}


def crash(source: Source) -> dict[str, Any]:
    NATIVE["memset"](0, 0, 1)
    return {}


def leave(source: Source) -> dict[str, Any]:
    os._exit(3)


def ask_for_all(source: Source) -> dict[str, Any]:
    return {"size": sum(len(source.read(0, 1 << 20)) for _ in range(300))}


def raise_an_error(source: Source) -> dict[str, Any]:
    raise RuntimeError("unforeseen")


def reach_out(source: Source, folder: str) -> dict[str, Any]:
    """Tries each operation in Python and, past the audit hook, in the C library."""
    path = os.fsencode(f"{folder}/written")
    return {
        "socket": _tried(lambda: socket.socket()),
        "fork": _tried(os.fork),
        "write": _tried(lambda: Path(folder, "written").write_text("x")),
        "environment": sorted(os.environ),
        "native socket": NATIVE["socket"](2, 1, 0),
        "native fork": NATIVE["fork"](),
        "native write": NATIVE["open"](path, os.O_WRONLY | os.O_CREAT, 0o600),
        "native unlink": NATIVE["unlink"](os.fsencode(f"{folder}/there")),
        "native kill": NATIVE["kill"](os.getppid(), 0),
        "native exec": NATIVE["execv"](b"/bin/true", None),
    }


def _tried(act: Any) -> str:
    try:
        act()
    except PermissionError:
        return "refused"
    return "done"
