"""A running portal with a worker, and a release owner's clients in separate processes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.live import Portal

#: The variables of a client with and without hf_xet, by the names that tests show.
TRANSFERS = {"xet": "0", "lfs": "1"}


class Publisher:
    """The Hub's client in processes of its own, because it reads its variables at import."""

    def __init__(self, url: str, token: str, home: Path, disable_xet: str = "1") -> None:
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HF_ENDPOINT": url,
            "HF_TOKEN": token,
            "HF_HOME": str(home / "hf-home"),
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_XET": disable_xet,
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            arguments,
            env=self.environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=300)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def hf(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The `hf` tool."""
        return self.run(str(Path(sys.executable).with_name("hf")), *arguments)

    def python(self, script: str, *arguments: str) -> Any:
        """What a script prints as JSON in its last line; fails with its errors."""
        done = self.run(sys.executable, "-c", script, *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def owner(db: None, gated_tier: Tier, open_tier: Tier, release_owner: User) -> User:
    """A release owner of all tiers, the strictest of which is gated."""
    return release_owner


@pytest.fixture
def portal_server(store: Path, start_portal: Callable[..., Portal]) -> Portal:
    """A portal with a worker on which opening a gate takes two people."""
    return start_portal(worker=True, settings_={"SINGLE_OPERATOR": "no"})


@pytest.fixture
def publisher(
    portal_server: Portal, owner: User, tmp_path: Path, request: pytest.FixtureRequest
) -> Publisher:
    """A client of the owner; parametrize it indirectly by `xet` and `lfs`."""
    disable_xet = TRANSFERS[getattr(request, "param", "lfs")]
    token = factories.token(owner, "write")
    return Publisher(portal_server.url, token, tmp_path, disable_xet)


@pytest.fixture
def write_files(tmp_path: Path) -> Callable[[Mapping[str, bytes]], Path]:
    """Writes files into a new folder."""

    def write(files: Mapping[str, bytes]) -> Path:
        folder = tmp_path / factories.word()
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder

    return write
