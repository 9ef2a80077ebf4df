"""Each backup rereads some blobs, and bit rot appears on the health page."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.background.models import Heartbeat
from portal.backup import reread
from portal.health import findings
from tests.support import factories
from weights.storage import BlobStorage, blob_storage, store_at
from weights.storage.migration import BlobToCopy
from weights.storage.protocol import blob_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store")]

FILES = {f"part-{number}.bin": bytes([number]) * 1000 for number in range(4)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    factories.published("acme/small", files=FILES)
    return tmp_path / "backups"


def back_up(folder: Path, day: int, *options: str) -> None:
    with time_machine.travel(timezone.now() + timedelta(days=day), tick=True):
        call_command("backup", str(folder), "--no-keys", *options)


def line() -> findings.Line:
    return next(line for line in findings.lines() if line.name == "Backup")


def blobs(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "blobs").glob("*/*/*") if path.is_file())


def rot(blob: Path) -> bytes:
    """Change one byte as a disk does, without a trace in size and time. Returns the good bytes."""
    good, times = blob.read_bytes(), blob.stat()
    blob.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    os.utime(blob, ns=(times.st_atime_ns, times.st_mtime_ns))
    return good


@pytest.mark.requirement("OP-7")
def test_rot_in_a_backup_is_repaired_by_the_next_one_and_shown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert line().text == "none was made by manage.py backup"
    back_up(folder, 0)
    assert line().state == "ok"
    blob = blobs(folder)[2]
    good = rot(blob)
    back_up(folder, 1)
    assert blob.read_bytes() == good
    assert (
        f"{blob.name}: was damaged in the backup, and has been replaced" in capsys.readouterr().err
    )
    assert line().state == "late"
    assert blob.name in line().text


@pytest.mark.requirement("OP-7")
def test_rot_without_a_good_copy_is_an_alarm_until_there_is_one(folder: Path, store: Path) -> None:
    back_up(folder, 0)
    blob = blobs(folder)[0]
    good = rot(blob)
    own = store / blob_key(blob.name)
    own.write_bytes(blob.read_bytes())
    with pytest.raises(CommandError, match="could not be copied"):
        back_up(folder, 1)
    assert line().state == "alarm"
    assert blob.name in line().text
    own.write_bytes(good)
    back_up(folder, 2)
    assert line().state == "late"
    assert blob.read_bytes() == good


@pytest.mark.requirement("OP-7")
def test_a_night_reads_no_more_than_its_bound_and_all_nights_read_everything(
    folder: Path,
) -> None:
    back_up(folder, 0, "--reread-gb", "0")
    names = [blob.name for blob in blobs(folder)]
    last = rot(blobs(folder)[-1])
    seen = []
    for _ in range(2):
        done = reread.run(*wanted(folder), 2000, lambda count: None)
        reread.note(folder, done)
        seen.append((done.bytes, done.last, done.is_round_complete, done.replaced))
    assert seen == [(2000, names[1], False, []), (2000, names[3], True, [names[3]])]
    assert blobs(folder)[-1].read_bytes() == last
    assert Heartbeat.objects.get(name="backup").details["whole"]


def wanted(folder: Path) -> tuple[list[BlobToCopy], BlobStorage, BlobStorage]:
    """The blobs of the backup, the portal's store and the backup's."""
    listed = [BlobToCopy(blob.name, 1000) for blob in blobs(folder)]
    return listed, blob_storage(), store_at(f"file://{folder}/blobs")


def test_a_backup_that_stopped_is_late(folder: Path) -> None:
    back_up(folder, 0)
    with time_machine.travel(timezone.now() + timedelta(days=3), tick=True):
        assert line().state == "late"
        assert "hours ago" in line().text
