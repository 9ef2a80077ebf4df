"""What all jobs share: the install, the people, patience, and what was seen."""

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
#: Seconds after which an act that is only told to come again counts as never answered.
PATIENCE = 180.0


class NotNow(Exception):
    """The portal is away, or told to come again: everybody's answer to a fault."""


class Impatient(Exception):
    """The portal stayed away for longer than a fault lasts."""


@dataclass(frozen=True)
class Verdict:
    """A button that a reviewer pressed. `outcome` is done, refused, or unknown: no answer came."""

    application: int
    reviewer: str
    word: str
    outcome: str


@dataclass(frozen=True)
class Publication:
    """What `publish` promised by printing an id: these files, each by its SHA-256."""

    repo_id: str
    sha: str
    files: dict[str, str]


@dataclass
class Scene:
    """One run: where it plays, who plays, and what came of it."""

    install: Install
    cast: Cast
    postbox: Postbox
    folder: Path
    seed: str
    #: path -> SHA-256, of both checkpoints that everybody downloads.
    files: dict[str, str]
    #: What a start takes here, in seconds.
    start: float
    #: Set when no new work is to be begun.
    over: threading.Event = field(default_factory=threading.Event)
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    #: Names of those who hold access no longer.
    revoked: list[str] = field(default_factory=list)
    #: By name: downloads that ended whole, each of which the ledger must know.
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
        """Start a command beside the portal; whoever started it waits for it, or kills it."""
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
    """One of those who work: takes steps until the scene is over; what it raises is wrong."""

    def __init__(self, scene: Scene, name: str) -> None:
        super().__init__(name=name)
        self.scene = scene
        self.random = Random(f"{scene.seed}:{name}")
        self.session = requests.Session()

    def step(self) -> bool:
        """Do one thing from beginning to end; whether there is more to do."""
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
        """Try until it is answered; raises Impatient when that takes too long."""
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
        """One request; raises NotNow unless it got a definite answer, below 500 and not 429."""
        try:
            response = self.session.request(method, url, timeout=(5, 60), **facts)
        except requests.RequestException as error:
            raise NotNow(f"{method} {url}: {error}") from error
        demand_definite(self.scene, response)
        return response


def demand_definite(scene: Scene, response: requests.Response) -> None:
    """Raise NotNow for an answer that says to come again. A fault is told as 503, never as 500."""
    if response.status_code == 500 and response.url.startswith(scene.install.url):
        method = response.request.method
        scene.is_wrong(f"500 for {method} {response.url}: {response.text[:300]}")
    if response.status_code == 429 or response.status_code >= 500:
        scene.count(f"answers {response.status_code}")
        raise NotNow(f"{response.status_code} from {response.url}")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
