"""A real install: `manage.py quickstart` as a process with its own data folder."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.support.servers import services
from tests.support.servers.live import ROOT, Command, Portal

# Variables of the suite that an embedded install sets itself.
FOREIGN = (
    *("SECRET_KEY", "LINK_KEYS", "ENCRYPTION_KEYS", "DATABASE_URL", "BROKER_URL", "CACHE_URL"),
    "PUBLIC_URL",
)


@dataclass
class Install:
    """A DATA_DIR, and the quickstart process that may run on it."""

    data_dir: Path
    port: int
    log: Path
    #: Further environment variables.
    settings: dict[str, str] = field(default_factory=dict)
    parent: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        names = {
            "DJANGO_SETTINGS_MODULE": "portal.settings.embedded",
            "DATA_DIR": str(self.data_dir),
            "PYTHONWARNINGS": "",
        }
        small = {"WEB_WORKERS": "1", "WEB_THREADS": "16", "DOWNLOADS_AT_ONCE": "8"}
        return inherited | names | small | self.settings

    def start(self, *options: str) -> float:
        """Start it and wait for `Ready:`; return the seconds."""
        begun = time.monotonic()
        self.launch(*options)
        services.wait_until(self._is_ready_or_over, "Ready", seconds=300)
        assert "\nReady: " in self.output, self.output
        return time.monotonic() - begun

    def launch(self, *options: str) -> subprocess.Popen[bytes]:
        """Start it without waiting."""
        self.log.write_text("")
        command = [sys.executable, "manage.py", "quickstart", "--port", str(self.port), *options]
        self.parent = services.start(command, self.log, self.environment, ROOT)
        return self.parent

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal and wait; return its exit code."""
        assert self.parent is not None
        self.parent.send_signal(number)
        return self.parent.wait(timeout=120)

    def refused(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run a quickstart that is expected to refuse to start."""
        return self.manage("quickstart", "--port", str(self.port), *options)

    @property
    def output(self) -> str:
        return "\n" + self.log.read_text(errors="replace")

    def child(self, name: str) -> int:
        """The last process id in its log for `broker`, `web`, `worker` or `beat`."""
        lines = [line for line in self.output.splitlines() if line.startswith(f"{name}: started")]
        return int(lines[-1].rpartition(" ")[2])

    def answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def is_alive(self) -> bool:
        """True if the supervisor is running."""
        return self.parent is not None and self.parent.poll() is None

    def processes(self) -> list[str]:
        """Command lines of all running processes of this install."""
        return [line for line in _command_lines() if self._is_ours(line)]

    def query(self, sql: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.data_dir / "db.sqlite3")) as database:
            return database.execute(sql).fetchall()

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a manage.py command; the caller checks its exit code."""
        return self.begin(*arguments).finish()

    def begin(self, *arguments: str) -> Command:
        """Start a manage.py command; the caller waits for it or kills it."""
        return Portal(self.url, self.environment, self.data_dir).begin(*arguments)

    def _is_ready_or_over(self) -> bool:
        assert self.parent is not None
        return "\nReady: " in self.output or self.parent.poll() is not None

    def _is_ours(self, line: str) -> bool:
        return str(self.data_dir) in line


def _command_lines() -> list[str]:
    """The command line and DATA_DIR of each readable process on this machine."""
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
            names = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if words:  # a zombie has none
            home = b" ".join(name for name in names if name.startswith(b"DATA_DIR="))
            lines.append(f"{words.decode(errors='replace')} {home.decode(errors='replace')}")
    return lines


@contextmanager
def new_install(folder: Path, log: Path | None = None, **settings: str) -> Iterator[Install]:
    """A new install under `folder`; it is stopped at the end."""
    log = log or folder / "log"
    made = Install(folder / "install", services.free_port(), log, settings)
    try:
        yield made
    finally:
        if made.parent and made.parent.poll() is None:
            made.stop()
        services.wait_until(lambda: not made.processes(), "the end of every child")
