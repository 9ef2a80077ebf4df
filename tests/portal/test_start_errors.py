"""A read-only or full disk ends every command and process with one line about it."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import MISSING
from tests.support import disks
from tests.support.disks import Disk
from tests.support.servers import live

pytestmark = pytest.mark.one_database

QUICKSTART = ("manage.py", "quickstart", "--port", "1")
VERIFY = ("manage.py", "verify_audit")
WORKER = ("-m", "portal.processes", "worker")


@pytest.fixture
def disk() -> Iterator[Disk]:
    if why := disks.why_none():
        pytest.skip(f"{MISSING}: {why}")
    with disks.small(24 << 20) as mounted:
        yield mounted


def run(disk: Disk, *command: str) -> tuple[int, str]:
    """Exit code and stderr of a command of the embedded install on the disk."""
    names = ("DATABASE_URL", "BROKER_URL", "WEIGHTS_STORAGE", "SECRET_KEY", "LINK_KEYS")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment["DJANGO_SETTINGS_MODULE"] = "portal.settings.embedded"
    environment["DATA_DIR"] = str(disk.folder / "var")
    environment["PYTHONWARNINGS"] = ""
    done = live.begin(list(command), environment).finish(timeout=120)
    return done.returncode, done.stderr


def test_a_read_only_folder_ends_each_start_with_one_line(disk: Disk) -> None:
    assert run(disk, "manage.py", "check") == (0, "")
    subprocess.run(["mount", "-o", "remount,ro", str(disk.folder)], check=True)
    for command in (QUICKSTART, VERIFY, WORKER):
        code, errors = run(disk, *command)
        assert code == 1, command
        assert errors.count("\n") == 1, errors
        assert errors.startswith(f"DATA_DIR: {disk.folder}/var cannot be used (it is read-only")


def test_a_folder_that_cannot_be_created_ends_a_start_with_one_line(disk: Disk) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk.folder)], check=True)
    code, errors = run(disk, *VERIFY)
    assert (code, errors.count("\n")) == (1, 1)
    assert "Read-only file system" in errors


def test_a_full_disk_is_named_by_each_start_and_command(disk: Disk) -> None:
    assert run(disk, "manage.py", "check") == (0, "")
    disk.fill()
    for command in (QUICKSTART, VERIFY):
        code, errors = run(disk, *command)
        assert code == 1, command
        assert errors.count("\n") == 1, errors
        assert "is full: free some space" in errors
    disk.free()
    assert "the database is not prepared" in run(disk, *VERIFY)[1]


def test_a_full_disk_at_the_first_start_is_named(disk: Disk) -> None:
    disk.fill()
    code, errors = run(disk, *QUICKSTART)
    assert (code, errors.count("\n")) == (1, 1)
    assert "No space left on device" in errors or "is full" in errors
