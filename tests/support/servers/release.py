"""Run the code of an earlier release, from this clone's history, beside the current code."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import services
from tests.support.servers.live import ROOT

#: A release's heading in the CHANGELOG, and the line below with its commit.
_COMMIT = re.compile(r"^## \[(\d+\.\d+\.\d+)\].*\n+Commit: ([0-9a-f]{12,40}) ", re.MULTILINE)


@dataclass(frozen=True)
class Release:
    """A tree of code, with the environment of its processes and commands."""

    root: Path
    environment: dict[str, str]

    def manage(self, *arguments: str, timeout: float = 900) -> str:
        """Run a manage.py command; return its output. AssertionError if it fails."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, name: str, log: Path, **environment: str) -> "subprocess.Popen[bytes]":
        """Start `web` or `worker` with the command that containers and systemd units use."""
        command = [sys.executable, "-m", "portal.processes", name]
        return services.start(command, log, self.environment | environment, self.root)


def newest_commit() -> tuple[str, str]:
    """The version and commit of the newest release in the CHANGELOG."""
    found = _COMMIT.search((ROOT / "CHANGELOG.md").read_text())
    assert found is not None, "CHANGELOG.md names no release with its commit"
    return found[1], found[2]


def check_out(folder: Path) -> Path | None:
    """Write the newest release's files into `folder`; None if a shallow clone lacks the commit."""
    version, commit = newest_commit()
    archive = folder / "release.tar"
    made = subprocess.run(
        ["git", "archive", "--output", str(archive), commit],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        return None
    root = folder / version
    root.mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(root)], check=True)
    return root
