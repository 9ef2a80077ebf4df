"""State that all jobs share: the install, the people, retries, and observations."""

import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import requests

from tests.chaos.cast import Cast
from tests.chaos.postbox import Postbox
from tests.support.servers.install import Install
from tests.support.servers.live import ROOT

T = TypeVar("T")
#: Seconds of retries after which an action counts as never answered.
PATIENCE = 180.0


class NotNow(Exception):
    """The portal is unreachable or asks for a retry, as during a fault."""


class Impatient(Exception):
    """The portal was unreachable for longer than a fault lasts."""


@dataclass(frozen=True)
class Verdict:
    """A button that a reviewer pressed; `outcome` is done, refused, or unknown (no response)."""

    application: int
    reviewer: str
    word: str
    outcome: str


@dataclass(frozen=True)
class Publication:
    """A revision whose id `publish` printed, and the SHA-256 of its files."""

    repo_id: str
    sha: str
    files: dict[str, str]


@dataclass
class Scene:
    """One run: its install, its people, and the results so far."""

    install: Install
    cast: Cast
    postbox: Postbox
    folder: Path
    seed: str
    #: path -> SHA-256 of the files of both checkpoints.
    files: dict[str, str]
    #: Seconds that a start takes on this machine.
    start: float
    #: Set when jobs must stop.
    over: threading.Event = field(default_factory=threading.Event)
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    #: Names of people whose access was revoked.
    revoked: list[str] = field(default_factory=list)
    #: Completed downloads by name; the ledger must contain each.
    downloads: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def count_download(self, name: str, how: str) -> None:
        with self._lock:
            self.downloads[name] += 1
            self.counts[f"downloads by {how}"] += 1

    def is_wrong(self, what: str) -> None:
        with self._lock:
            self.wrong.append(what)

    def address(self, repo_id: str, path: str, revision: str = "main") -> str:
        return f"{self.install.url}/{repo_id}/resolve/{revision}/{path}"

    def manage(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a management command; the caller waits for it or kills it."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            env=self.install.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


class Job(threading.Thread):
    """A thread that takes steps until the run is over; its exceptions count as failures."""

    def __init__(self, scene: Scene, name: str) -> None:
        super().__init__(name=name)
        self.scene = scene
        self.random = Random(f"{scene.seed}:{name}")
        self.session = requests.Session()

    def step(self) -> bool:
        """Do one thing from start to end; returns whether there is more to do."""
        raise NotImplementedError

    def run(self) -> None:
        try:
            while not self.scene.over.is_set() and self.step():
                pass
        except Impatient as error:
            self.scene.is_wrong(f"{self.name}: {error}")
        except Exception:
            self.scene.is_wrong(f"{self.name}: {traceback.format_exc(limit=-4)}")

    def insist(self, act: Callable[[], T]) -> T:
        """Retry until there is a definite answer. Raises Impatient after PATIENCE seconds."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return act()
            except NotNow as error:
                self.scene.count("told to come again")
                if time.monotonic() > end:
                    raise Impatient(f"no answer within {PATIENCE:g} s, at last: {error}") from error
                time.sleep(self.random.uniform(0.2, 1.0))

    def ask(self, method: str, url: str, **facts: Any) -> requests.Response:
        """Send one request. Raises NotNow without a response, and for 429 and 5xx."""
        try:
            response = self.session.request(method, url, timeout=(5, 60), **facts)
        except requests.RequestException as error:
            raise NotNow(f"{method} {url}: {error}") from error
        demand_definite(self.scene, response)
        return response


def demand_definite(scene: Scene, response: requests.Response) -> None:
    """Raise NotNow for 429 and 5xx. A 500 of the portal counts as a failure."""
    if response.status_code == 500 and response.url.startswith(scene.install.url):
        method = response.request.method
        scene.is_wrong(f"500 for {method} {response.url}: {response.text[:300]}")
    if response.status_code == 429 or response.status_code >= 500:
        scene.count(f"answers {response.status_code}")
        raise NotNow(f"{response.status_code} from {response.url}")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
