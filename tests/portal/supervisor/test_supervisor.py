"""The supervisor and its children: which ones it restarts, and when it gives up."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portal.errors import QuickstartError
from portal.supervisor import children, crash_reports
from portal.supervisor.crash_reports import CrashReport, read
from portal.supervisor.reload import SourceWatcher
from portal.supervisor.supervisor import Supervisor
from tests.support import disks
from tests.support.servers import services

pytestmark = [pytest.mark.one_database, pytest.mark.processes]

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
FAILING = [sys.executable, "-c", "raise SystemExit(3)"]
#: Creates the given file once it ignores SIGTERM.
STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
while True: time.sleep(1)
"""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def trouble(tmp_path: Path) -> Path:
    """A file; while it is there, what looks for it ends at once."""
    return tmp_path / "trouble"


@pytest.fixture
def supervisor(said: list[str]) -> Iterator[Supervisor]:
    with supervising(said) as made:
        yield made


@contextmanager
def supervising(
    said: list[str], note: Callable[[list[CrashReport]], None] = lambda troubles: None
) -> Iterator[Supervisor]:
    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    kept = {number: signal.getsignal(number) for number in handled}
    made = Supervisor({}, said.append, note)
    yield made
    made.stop()
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_a_child_that_keeps_ending_stops_the_supervisor_with_its_name(
    supervisor: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A bound made small: five pauses that double each time.
    monkeypatch.setattr(children, "FIRST_PAUSE", 0.01)
    supervisor.start("web", FAILING)
    with pytest.raises(QuickstartError, match=r"web exited 6 times in a row .* exit code 3"):
        supervisor.watch()
    assert len([line for line in said if line.startswith("web: started")]) == 6


@pytest.mark.slow
def test_a_child_that_has_run_is_started_again_for_as_long_as_its_trouble_lasts(
    said: list[str], trouble: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Bounds made small: pauses of hundredths of a second.
    monkeypatch.setattr(children, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(children, "LONGEST_PAUSE", 0.02)
    noted: list[list[CrashReport]] = []
    with supervising(said, noted.append) as supervisor:
        supervisor.start("broker", ["/bin/sh", "-c", f"test ! -e '{trouble}' && exec sleep 60"])
        supervisor.all_run()
        trouble.touch()
        supervisor._children["broker"].kill()
        assert supervisor.watch(until=lambda: noted != [] and noted[-1][0].false_starts >= 8)
        assert noted[-1][0].ended_with == "exit code 1"
        trouble.unlink()
        # A smaller limit from now on: a child that runs for a moment counts as stable.
        monkeypatch.setattr(children, "SETTLED_AFTER", 0.05)
        assert supervisor.watch(until=lambda: noted[-1] == [])
    assert "broker: runs again" in said


def test_a_machine_without_room_for_a_process_is_tried_again(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A smaller limit; the system's error is that no program has this name.
    monkeypatch.setattr(children, "FIRST_PAUSE", 0.01)
    with supervising(said) as supervisor:
        supervisor.start("web", SLEEPER)
        supervisor.all_run()
        child = supervisor._children["web"]
        child.command = ["/no/such/program"]
        child.kill()
        assert supervisor.watch(until=lambda: child.false_starts >= 2)
    assert "web: ended with no process (No such file or directory); starts again in 0.02 s" in said


def test_each_false_start_doubles_the_pause_up_to_half_a_minute() -> None:
    child = children.Child("web", FAILING, {})
    pauses = []
    for _ in range(8):
        child.start()
        pauses.append(child.plan_restart())
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_child_that_had_settled_is_started_again_after_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A bound made small: whatever ran has settled.
    monkeypatch.setattr(children, "SETTLED_AFTER", 0.0)
    child = children.Child("web", FAILING, {}, false_starts=5)
    child.start()
    assert child.plan_restart() == 1
    assert child.false_starts == 0


def test_children_end_from_the_last_to_the_first(supervisor: Supervisor, said: list[str]) -> None:
    for name in ("broker", "web", "beat"):
        supervisor.start(name, SLEEPER)
    supervisor.stop()
    assert said[-3:] == ["beat: stopped", "web: stopped", "broker: stopped"]


def test_a_child_that_will_not_end_is_killed_at_its_deadline(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    deaf = tmp_path / "deaf"
    supervisor.start("web", [sys.executable, "-c", STUBBORN, str(deaf)], stop_within=0.5)
    services.wait_until(deaf.exists, "the child")
    begun = time.monotonic()
    supervisor.stop()
    assert 0.5 <= time.monotonic() - begun < 4.5, "five seconds are what others have"


def test_a_stop_request_ends_the_watch(supervisor: Supervisor) -> None:
    supervisor.start("web", SLEEPER)
    signal.raise_signal(signal.SIGTERM)
    assert supervisor.watch() is False


def test_a_command_that_runs_once_gives_its_exit_code(supervisor: Supervisor) -> None:
    assert supervisor.run_once("demo", FAILING) == 3


def test_a_child_of_a_killed_child_dies_with_it() -> None:
    child = children.Child("web", ["/bin/sh", "-c", "sleep 60 & wait"], {})
    child.start()
    time.sleep(0.2)
    child.kill()
    services.wait_until(lambda: child.ended() is not None, "its end")
    assert not child.runs


# -- reports for the health page ------------------------------------------------------------


def test_troubles_are_noted_and_forgotten(tmp_path: Path) -> None:
    assert read(tmp_path) == []
    (tmp_path / "run").mkdir()
    told = [CrashReport("beat", 7, 1795819523.5, "exit code 1")]
    crash_reports.write(tmp_path, told)
    assert read(tmp_path) == told
    crash_reports.write(tmp_path, [])
    assert read(tmp_path) == []


def test_troubles_are_noted_while_the_disk_is_full() -> None:
    if why := disks.why_none():
        pytest.skip(why)
    with disks.small(1 << 20) as disk:
        (disk.folder / "run").mkdir()
        crash_reports.write(disk.folder, [])
        disk.fill()
        told = [CrashReport("broker", 9, 1795819523.5, "exit code 1")]
        crash_reports.write(disk.folder, told)
        assert read(disk.folder) == told


def test_a_restart_replaces_the_named_children_alone(
    supervisor: Supervisor, said: list[str]
) -> None:
    supervisor.start("broker", SLEEPER)
    supervisor.start("web", SLEEPER)
    supervisor.restart("web")
    started = [line.rpartition(" ") for line in said]
    assert [line[0] for line in started] == [
        "broker: started, process",
        "web: started, process",
        "web: started again, process",
    ]
    assert started[1][2] != started[2][2]


def test_the_watcher_names_sources_that_were_written_added_or_removed(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("written.py", "removed.html", "untouched.css"):
        (folder / name).write_text("")
    watcher = SourceWatcher(tmp_path)
    assert watcher.changed() == []
    os.utime(folder / "written.py", ns=(1, 1))
    (folder / "removed.html").unlink()
    (folder / "added.txt").write_text("")
    (folder / "compiled.pyc").write_text("")
    assert watcher.changed() == ["weights/added.txt", "weights/removed.html", "weights/written.py"]
    assert watcher.changed() == []
