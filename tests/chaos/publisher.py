"""The job that publishes revisions, half of which are interrupted by a kill."""

import hashlib
import os
import signal
import subprocess
from pathlib import Path

from tests.chaos.cast import OPEN
from tests.chaos.scene import Job, NotNow, Publication, Scene

BRANCH = "next"


class Publisher(Job):
    """Publishes folders by command, and repeats killed commands until they print an id."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene, "publisher")
        self._number = 0

    def step(self) -> bool:
        self._number += 1
        folder = self.scene.folder / f"to-publish-{self._number}"
        files = self._written(folder)
        sha = self.insist(lambda: self._publish(folder))
        self.scene.publications.append(Publication(OPEN, sha, files))
        self.scene.count("revisions published")
        return True

    def _written(self, folder: Path) -> dict[str, str]:
        folder.mkdir()
        contents = {
            "README.md": f"# Number {self._number}\n".encode(),
            "part.dat": self.random.randbytes(300_000),
            "more/part.dat": self.random.randbytes(100_000),
        }
        for path, content in contents.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(content)
        return {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}

    def _publish(self, folder: Path) -> str:
        command = self.scene.manage(
            *("publish", str(folder), OPEN, "--tier", "open", "--revision", BRANCH)
        )
        # A start takes two seconds, so some die before the work begins and some during it.
        dies_after = self.random.uniform(1.0, 6.0) if self.random.random() < 0.5 else None
        try:
            sha, errors = command.communicate(timeout=dies_after)
        except subprocess.TimeoutExpired as late:
            os.killpg(command.pid, signal.SIGKILL)
            command.communicate()
            self.scene.count("publishers killed")
            raise NotNow("killed") from late
        if "Traceback" in errors:
            self.scene.is_wrong(f"publish failed: {errors[-1500:]}")
        if command.returncode:
            self.scene.count("publishers told to come again")
            raise NotNow(errors)
        return sha.strip()
