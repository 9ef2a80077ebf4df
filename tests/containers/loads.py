"""Downloads that continue while containers stop."""

import threading
from pathlib import Path

from tests.containers import people
from tests.containers.stack import Stack


class Load:
    """`hf download` in a loop by several threads, each into a new folder."""

    def __init__(
        self, stack: Stack, repo_id: str, folder: Path, bearer: str, files: dict[str, str]
    ) -> None:
        self.downloads: list[people.Download] = []
        self._over = threading.Event()
        self._ask = (stack, repo_id, folder, bearer, files)
        self._threads: list[threading.Thread] = []

    def start(self, clients: int) -> None:
        for number in range(clients):
            thread = threading.Thread(target=self._run, args=(number,))
            self._threads.append(thread)
            thread.start()

    def stop(self) -> list[people.Download]:
        """Let the running downloads end; returns all of them."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self.downloads

    def _run(self, number: int) -> None:
        stack, repo_id, folder, bearer, files = self._ask
        turn = 0
        while not self._over.is_set():
            turn += 1
            into = folder / f"{number}-{turn}"
            self.downloads.append(people.hf_download(stack, repo_id, into, bearer, files))
