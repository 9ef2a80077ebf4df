"""Downloads and pages requested continuously while releases replace each other."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests


@dataclass(frozen=True)
class Question:
    """A request that must succeed: its path, its token, and its exact body if that is fixed."""

    path: str
    token: str = ""
    body: bytes | None = None


@dataclass
class Traffic:
    """Requests in turn to each web server in service, as a load balancer sends them.

    Nothing is tried again: each answer that is not 200, or has another body, is a failure.
    """

    questions: list[Question]
    served: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    _urls: tuple[str, ...] = ()
    _under_way: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, url: str) -> None:
        """Send requests to this server too."""
        with self._lock:
            self._urls = (*self._urls, url)

    def drain(self, url: str) -> None:
        """Send no further requests to this server, and wait for those under way."""
        with self._lock:
            self._urls = tuple(one for one in self._urls if one != url)
        deadline = time.monotonic() + 60
        while self._under_way[url]:
            assert time.monotonic() < deadline, "a request never ends"
            time.sleep(0.01)

    @contextmanager
    def flowing(self, callers: int = 3) -> Iterator[None]:
        """Send requests from some threads while the body runs."""
        over = threading.Event()
        threads = [
            threading.Thread(target=self._call, args=[over, each]) for each in range(callers)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _call(self, over: threading.Event, start: int) -> None:
        session = requests.Session()
        session.headers["Connection"] = "close"
        for turn in itertools.count(start):
            if over.is_set():
                return
            with self._lock:
                url = self._urls[turn % len(self._urls)]
                self._under_way[url] += 1
            try:
                self._ask(session, url, self.questions[turn % len(self.questions)])
            finally:
                with self._lock:
                    self._under_way[url] -= 1
            time.sleep(0.1)

    def _ask(self, session: requests.Session, url: str, question: Question) -> None:
        headers = {"Authorization": f"Bearer {question.token}"} if question.token else {}
        try:
            answer = session.get(f"{url}{question.path}", headers=headers, timeout=60)
        except requests.RequestException as error:
            outcome = str(error)
        else:
            is_right = answer.status_code == 200 and question.body in (None, answer.content)
            outcome = "" if is_right else f"{answer.status_code} {answer.text[:300]}"
        with self._lock:
            self.served[url] += 1
            if outcome:
                self.failures.append(f"{url}{question.path}: {outcome}")
