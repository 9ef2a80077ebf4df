"""olah, a mirror of the Hub in Python, as a base: installed once, its cache filled by us."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import servers
from support.install import ROOT
from support.servers import Server

VENV = ROOT / ".venv-olah"

_CONFIG = """
[basic]
host = "127.0.0.1"
port = {port}
repos-path = "{folder}/repos"
log-path = "{folder}/logs"
hf-scheme = "http"
hf-netloc = "127.0.0.1:{origin}"
hf-lfs-netloc = "127.0.0.1:{origin}"
mirror-scheme = "http"
mirror-netloc = "127.0.0.1:{port}"
mirror-lfs-netloc = "127.0.0.1:{port}"
[accessibility]
offline = {offline}
"""


def program() -> Path | str:
    """The installed program, or why there is none."""
    found = VENV / "bin" / "olah-cli"
    if found.exists():
        return found
    for command in (
        [sys.executable, "-m", "venv", str(VENV)],
        [str(VENV / "bin" / "python"), "-m", "pip", "--quiet", "install", "olah"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"olah cannot be installed: {done.stderr.strip().splitlines()[-1]}"
    return found


@contextmanager
def mirror(found: Path, folder: Path, origin: int, *, offline: bool) -> Iterator[Server]:
    """olah before the portal on port `origin`; offline it answers from its cache alone."""
    folder.mkdir(exist_ok=True)
    port = servers.free_port()
    config = folder / "olah.toml"
    config.write_text(
        _CONFIG.format(port=port, folder=folder, origin=origin, offline=str(offline).lower())
    )
    # It must see none of the portal's settings, nor our packages.
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR"}}
    with (folder / "olah.log").open("ab") as log:
        command = ["env", "-i", *(f"{name}={value}" for name, value in kept.items()), str(found)]
        command += ["--config", str(config)]
        with servers.running(command, port, log=log, within=folder) as server:
            yield server
