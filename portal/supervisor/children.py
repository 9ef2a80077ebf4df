"""One supervised child process: how it is started, judged and ended."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: Seconds before a child that ended is started again: doubled each time up to the second.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
#: A child that ends sooner than this has not got going, and its pause grows.
SETTLED_AFTER = 10.0
#: Starts in a row of a child that never ran, after which there is no point in another. One that
#: has run once is started again for as long as it takes: what ails it may pass.
MOST_FALSE_STARTS = 6

_PR_SET_PDEATHSIG = 1


def tie_to_parent() -> Callable[[], None] | None:
    """What a new child runs so that the kernel kills it with its parent, where Linux can."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return tie


@dataclass
class Child:
    """A process in a group of its own; `stop_within` seconds is what a polite end may take."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    stop_within: float = 5.0
    false_starts: int = 0
    #: Whether it has ever got going.
    has_run: bool = False
    #: When the first of its false starts in a row ended, in seconds of the clock.
    troubled_since: float = 0.0
    _process: subprocess.Popen[bytes] | None = None
    _started: float = 0.0
    _due: float = 0.0

    def start(self) -> None:
        """Start it; what it prints goes to our standard error, so that ours stays clean."""
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            self.command,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            start_new_session=True,
            preexec_fn=tie_to_parent(),  # safe: we have one thread
        )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ended(self) -> int | None:
        """Its exit code (negative: the signal that ended it), None while it runs."""
        return self._process.poll() if self._process else None

    def plan_restart(self) -> float:
        """Clear what it left behind and note when to start it again; the pause in seconds."""
        self.kill()
        if time.monotonic() - self._started > SETTLED_AFTER:
            self.settle()
        else:
            self.troubled_since = self.troubled_since or time.time()
            self.false_starts += 1
        pause = min(FIRST_PAUSE * 2.0 ** max(self.false_starts - 1, 0), LONGEST_PAUSE)
        self._due = time.monotonic() + pause
        self._process = None
        return pause

    @property
    def is_past_trouble(self) -> bool:
        """Whether it runs for long enough after false starts."""
        long = time.monotonic() - self._started > SETTLED_AFTER
        return self.false_starts > 0 and self.runs and long

    def settle(self) -> None:
        """It got going: what was before does not count any more."""
        self.false_starts, self.troubled_since, self.has_run = 0, 0.0, True

    @property
    def is_hopeless(self) -> bool:
        """Whether it never ran and was tried for often enough."""
        return not self.has_run and self.false_starts >= MOST_FALSE_STARTS

    @property
    def is_due(self) -> bool:
        """Whether it waits for a restart whose time has come."""
        return self._process is None and time.monotonic() >= self._due

    def ask_to_end(self) -> None:
        if self._process and self.runs:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and everything it started, at once."""
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
