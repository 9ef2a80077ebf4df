"""Keep the processes of the embedded install running under one parent process."""

import signal
import time
from collections.abc import Callable, Mapping
from types import FrameType

from portal.errors import QuickstartError
from portal.supervisor.children import Child
from portal.supervisor.crash_reports import CrashReport

_TICK = 0.1  # seconds between two checks of the children


class Supervisor:
    """Start children, restart those that end, and stop them in reverse order.

    `write_reports` receives the reports of all crashing children whenever the reports change.
    On INT, TERM or HUP, `stopping` becomes true and `watch` returns; a second signal kills the
    children immediately.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        say: Callable[[str], None],
        write_reports: Callable[[list[CrashReport]], None] = lambda reports: None,
    ) -> None:
        self.stopping = False
        self._write_reports = write_reports
        self._reports: dict[str, CrashReport] = {}
        self._environment = environment
        self._say = say
        self._children: dict[str, Child] = {}
        # Shells make background processes ignore INT, unless they set a handler.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup sets it
            signal.signal(signal.SIGHUP, self._on_signal)

    def start(self, name: str, command: list[str], *, stop_within: float = 5.0) -> None:
        child = Child(name, command, self._environment, stop_within)
        child.start()
        self._children[name] = child
        self._say(f"{name}: started, process {child.pid}")

    def run_once(self, name: str, command: list[str]) -> int:
        """Run a command while watching the children. Returns its exit code.

        The command is killed when the supervisor is asked to stop.
        """
        child = Child(name, command, self._environment)
        child.start()
        try:
            self.watch(until=lambda: child.ended() is not None)
        finally:
            child.kill()
        return child.ended() or 0

    def watch(self, until: Callable[[], bool] = lambda: False) -> bool:
        """Keep the children running. Returns True once `until` holds, False when asked to stop.

        Raises QuickstartError for a child that repeatedly exits right after its start.
        """
        while not self.stopping:
            self._check()
            if until():
                return True
            time.sleep(_TICK)
        return False

    def all_run(self) -> None:
        """Record that all children run; from now on each is restarted without limit."""
        for child in self._children.values():
            child.settle()

    def restart(self, *names: str) -> None:
        """Stop these children in reverse order, then start them again in order."""
        children = [child for child in self._children.values() if child.name in names]
        for child in reversed(children):
            self._end(child)
        for child in children:
            child.settle()
            self._start_again(child)

    def stop(self) -> None:
        """Stop all children in reverse order, each within its deadline."""
        for child in reversed(self._children.values()):
            self._end(child)
            self._say(f"{child.name}: stopped")
        self._children.clear()

    def _end(self, child: Child) -> None:
        child.ask_to_end()
        self._wait(child)
        child.kill()

    def _check(self) -> None:
        for child in self._children.values():
            code = child.ended()
            if code is not None:
                self._plan(child, _describe_exit(code))
            elif child.is_due:
                self._start_again(child)
            elif child.has_recovered:
                child.settle()
                self._say(f"{child.name}: runs again")
                self._report(child, "")

    def _start_again(self, child: Child) -> None:
        try:
            child.start()
        except OSError as error:  # no memory or process ids left
            self._plan(child, f"no process ({error.strerror})")
        else:
            self._say(f"{child.name}: started again, process {child.pid}")

    def _plan(self, child: Child, ended_with: str) -> None:
        pause = child.plan_restart()
        if child.is_hopeless:
            raise QuickstartError(
                f"{child.name} exited {child.false_starts} times in a row right after its start, "
                f"most recently with {ended_with}; see its log"
            )
        self._say(f"{child.name}: ended with {ended_with}; starts again in {pause:g} s")
        self._report(child, ended_with)

    def _report(self, child: Child, ended_with: str) -> None:
        before = dict(self._reports)
        self._reports.pop(child.name, None)
        if child.false_starts:
            self._reports[child.name] = CrashReport(
                child.name, child.false_starts, child.failing_since, ended_with
            )
        if self._reports != before:
            self._write_reports(list(self._reports.values()))

    def _wait(self, child: Child) -> None:
        deadline = time.monotonic() + child.stop_within
        while child.runs and time.monotonic() < deadline:
            time.sleep(_TICK / 2)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stopping:
            for child in self._children.values():
                child.stop_within = 0
        self.stopping = True


def _describe_exit(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
