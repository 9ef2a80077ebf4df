"""The chaos monkey: kills processes and breaks their infrastructure at random."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.support.servers.install import Install

#: Minimum seconds before a new process is killed. The supervisor counts a child that ends within
#: ten as a false start, and gives up after six in a row, which another test covers.
SPARED = 11.5
PROCESSES = ("web", "worker", "beat", "broker")


@dataclass(frozen=True)
class Fault:
    """A fault of the install, with its begin and end in seconds since the epoch."""

    what: str
    began: float
    ended: float


@dataclass(frozen=True)
class Nuisance:
    """A fault that can be caused for a while and then removed."""

    name: str
    spoil: Callable[[], object]
    mend: Callable[[], object]
    #: Minimum and maximum seconds that it lasts.
    lasts: tuple[float, float] = (2.0, 5.0)
    #: Minimum and maximum seconds between two.
    pause: tuple[float, float] = (4.0, 10.0)


class Monkey:
    """Two threads, one kills and one causes faults; the seed decides every choice."""

    def __init__(
        self, install: Install, seed: str, nuisances: list[Nuisance], *, spared: float = SPARED
    ) -> None:
        """`spared` replaces SPARED on machines where a start takes longer."""
        self.faults: list[Fault] = []
        self.failures: list[str] = []
        self._install = install
        self._spared = max(spared, SPARED)
        self._kills = Random(f"{seed}:kills")
        self._spoils = Random(f"{seed}:spoils")
        self._nuisances = nuisances
        self._finishing = threading.Event()
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._kill_on, name="kills"),
            threading.Thread(target=self._spoil_on, name="spoils"),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """From now on only kill processes that were not killed yet.

        The worker ends when the broker cannot write, so on a loaded machine it may never have
        grown up between two faults.
        """
        self._finishing.set()

    def stop(self) -> None:
        """Stop both threads, with all faults removed."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def counts(self) -> Counter[str]:
        return Counter(fault.what for fault in self.faults)

    # -- kills -------------------------------------------------------------------------------

    def _kill_on(self) -> None:
        while not self._over.wait(self._kills.uniform(0.3, 2.5)):
            which, part = self._kills.random(), self._kills.random()
            grown_up = self._grown_up()
            # Those that were not killed yet come first, so that a short run kills each kind.
            unharmed = [(name, pid) for name, pid in grown_up if not self.counts()[name]]
            choice = unharmed or ([] if self._finishing.is_set() else grown_up)
            if not choice:
                continue
            name, pid = choice[int(which * len(choice))]
            if name == "web" and part < 0.3:
                name, pid = "one process of web", _child_of(pid) or pid
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self._note(name, time.time())

    def _grown_up(self) -> list[tuple[str, int]]:
        """Names and ids of the processes that may be killed."""
        pids = [(name, self._install.child(name)) for name in PROCESSES]
        return [(name, pid) for name, pid in pids if _age(pid) > self._spared]

    # -- nuisances ---------------------------------------------------------------------------

    def _spoil_on(self) -> None:
        if not self._nuisances:
            return
        while True:
            new = [each for each in self._nuisances if not self.counts()[each.name]]
            nuisance = self._spoils.choice(new or self._nuisances)
            if self._over.wait(self._spoils.uniform(*nuisance.pause)) or self._finishing.is_set():
                return
            began = time.time()
            try:
                nuisance.spoil()
                self._over.wait(self._spoils.uniform(*nuisance.lasts))
                nuisance.mend()
            except OSError as error:
                self.failures.append(f"{nuisance.name}: {error}")
                return
            self._note(nuisance.name, began)

    def _note(self, what: str, began: float) -> None:
        self.faults.append(Fault(what, began, time.time()))


def _age(pid: int) -> float:
    """Seconds since the process started (proc(5)); 0 if it is gone or a zombie."""
    with suppress(OSError):
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        started = int(facts[19]) / os.sysconf("SC_CLK_TCK")
        up = float(Path("/proc/uptime").read_text().split()[0])
        return up - started if facts[0] != "Z" else 0.0
    return 0.0


def _child_of(pid: int) -> int | None:
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None
    return None
