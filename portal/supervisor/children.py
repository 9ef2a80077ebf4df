"""One supervised child process: start, restart with backoff, stop."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: Seconds before a child is restarted: the first, doubled after each false start up to the second.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
#: Seconds; a child that ends sooner counts as a false start.
SETTLED_AFTER = 10.0
#: False starts in a row after which a child that never ran is not restarted. One that has run is
#: restarted without limit, because the cause may be temporary.
MOST_FALSE_STARTS = 6

_PR_SET_PDEATHSIG = 1


def tie_to_parent() -> Callable[[], None] | None:
    """A `preexec_fn` that has Linux kill the child when this process ends; None elsewhere."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the line above
            os._exit(1)

    return tie


@dataclass
class Child:
    """A process in its own group, which gets `stop_within` seconds to end after TERM."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    stop_within: float = 5.0
    false_starts: int = 0
    #: Whether it has ever run for SETTLED_AFTER seconds.
    has_run: bool = False
    #: When the first of its consecutive false starts ended, in seconds since 1970.
    failing_since: float = 0.0
    _process: subprocess.Popen[bytes] | None = None
    _started: float = 0.0
    _due: float = 0.0

    def start(self) -> None:
        """Start it with its output on our stderr; our stdout is only for our own lines."""
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            self.command,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            start_new_session=True,
            preexec_fn=tie_to_parent(),  # safe: this process has one thread
        )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ended(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.poll() if self._process else None

    def plan_restart(self) -> float:
        """Kill the rest of its group and schedule a restart. Returns the pause in seconds."""
        self.kill()
        if time.monotonic() - self._started > SETTLED_AFTER:
            self.settle()
        else:
            self.failing_since = self.failing_since or time.time()
            self.false_starts += 1
        pause = min(FIRST_PAUSE * 2.0 ** max(self.false_starts - 1, 0), LONGEST_PAUSE)
        self._due = time.monotonic() + pause
        self._process = None
        return pause

    @property
    def has_recovered(self) -> bool:
        """True if it has run for SETTLED_AFTER seconds after false starts."""
        long = time.monotonic() - self._started > SETTLED_AFTER
        return self.false_starts > 0 and self.runs and long

    def settle(self) -> None:
        """Record that it has run, and reset its false starts."""
        self.false_starts, self.failing_since, self.has_run = 0, 0.0, True

    @property
    def is_hopeless(self) -> bool:
        """True if it never ran and has used up its false starts."""
        return not self.has_run and self.false_starts >= MOST_FALSE_STARTS

    @property
    def is_due(self) -> bool:
        """True if its restart is due."""
        return self._process is None and time.monotonic() >= self._due

    def ask_to_end(self) -> None:
        if self._process and self.runs:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it and every process of its group."""
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
