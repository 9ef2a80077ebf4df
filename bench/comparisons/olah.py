"""olah, a mirror of the Hub in Python, as a base of comparison.

Installed once into .venv-olah; the benchmark fills its cache.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import install, servers
from support.servers import Server

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
    """The path of olah's program, installed if necessary, or why that failed."""
    return install.program(".venv-olah", "olah-cli", "olah")


@contextmanager
def mirror(program_path: Path, folder: Path, origin: int, *, offline: bool) -> Iterator[Server]:
    """Run olah as a mirror of the portal on port `origin`; if `offline`, only from its cache."""
    folder.mkdir(exist_ok=True)
    port = servers.free_port()
    config = folder / "olah.toml"
    config.write_text(
        _CONFIG.format(port=port, folder=folder, origin=origin, offline=str(offline).lower())
    )
    # Keep the portal's settings and packages out of the environment.
    inherited = {
        name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR"}
    }
    with (folder / "olah.log").open("ab") as log:
        command = [
            "env",
            "-i",
            *(f"{name}={value}" for name, value in inherited.items()),
            str(program_path),
        ]
        command += ["--config", str(config)]
        with servers.running(command, port, log=log, within=folder) as server:
            yield server
