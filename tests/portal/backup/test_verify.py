"""`backup --verify` finds bit rot without restoring anything (OP)."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.audit.merkle_log import sealer
from portal.backup import layout
from portal.databases import sqlite
from portal.errors import BackupError
from tests.accounts.audit.merkle_log import rows
from tests.portal.backup.test_backup import blob_of, flip, taken
from tests.support import factories
from weights.publishing.models import Revision

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

Manage = Callable[..., str]


@pytest.fixture
def release(store: Path) -> Revision:
    rows.event()
    sealer.seal()
    return factories.published("acme/small")


@pytest.fixture
def backup(release: Revision, tmp_path: Path, manage: Manage) -> Path:
    return taken(manage, tmp_path / "backups")


def verified(backup: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[str, ...]:
    """Output, lines on stderr without the progress bar, and the refusal, if any."""
    capsys.readouterr()
    refused = ""
    try:
        call_command("backup", "--verify", str(backup), *options)
    except CommandError as error:
        refused = str(error)
    output, errors = capsys.readouterr()
    lines = [line for line in errors.splitlines() if line and "Reading:" not in line]
    return output, "".join(f"{line}\n" for line in lines), refused


@pytest.mark.requirement("OP-16")
def test_a_whole_backup_is_read_to_its_last_byte_and_changed_in_none(
    backup: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in backup.parent.rglob("*")}
    output, errors, refused = verified(backup, capsys)
    assert (errors, refused) == ("", "")
    assert "damaged 0\n" in output
    assert f"blobs: 3 at file://{backup.parent}/blobs, damaged 0" in output
    assert output.endswith("The backup is as it was made.\n")
    assert {path: path.stat().st_mtime_ns for path in backup.parent.rglob("*")} == before


@pytest.mark.requirement("OP-16")
def test_bit_rot_of_every_file_is_named_in_one_line(
    backup: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in [path for path in backup.rglob("*") if path.is_file()]:
        flip(path)
        _, errors, refused = verified(backup, capsys)
        assert path.name in errors + refused
        assert errors.count("\n") <= 1
        assert "\n" not in refused
        flip(path)
        path.rename(path.with_name("away"))
        _, errors, refused = verified(backup, capsys)
        assert path.name in errors + refused
        path.with_name("away").rename(path)
    assert verified(backup, capsys)[2] == ""


@pytest.mark.requirement("OP-16")
def test_every_bad_blob_is_named_with_its_fault(
    backup: Path, release: Revision, capsys: pytest.CaptureFixture[str]
) -> None:
    blobs = backup.parent / "blobs"
    paths = ("README.md", "config.json", "model.safetensors")
    missing, short, rotten = (blob_of(blobs, release, path) for path in paths)
    missing.unlink()
    short.write_bytes(short.read_bytes()[:-1])
    flip(rotten)
    output, errors, refused = verified(backup, capsys)
    assert f"{missing.name}: missing" in errors
    assert f"{short.name}: 21 bytes instead of 22" in errors
    assert f"{rotten.name}: its bytes have SHA-256" in errors
    assert refused.startswith("the backup is damaged: 0 files and 3 blobs, named above")
    assert "damaged 3" in output


def test_two_blobs_that_changed_places_are_both_named(
    backup: Path, release: Revision, capsys: pytest.CaptureFixture[str]
) -> None:
    blobs = backup.parent / "blobs"
    one, other = (blob_of(blobs, release, path) for path in ("README.md", "config.json"))
    one.rename(blobs / "away")
    other.rename(one)
    (blobs / "away").rename(other)
    _, errors, refused = verified(backup, capsys)
    assert one.name in errors
    assert other.name in errors
    assert "0 files and 2 blobs" in refused


def test_a_backup_in_a_folder_with_the_name_of_the_list_is_read_whole(
    backup: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = backup.rename(backup.with_name(layout.BLOB_LIST))
    flip(renamed / "keys" / "keys.env")
    output, errors, refused = verified(renamed, capsys)
    assert "keys.env is damaged" in errors
    assert "blobs: 3 at" in output
    assert "1 file and 0 blobs" in refused


def test_a_damaged_list_of_blobs_is_not_believed(
    backup: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (backup / layout.BLOB_LIST).write_text("")
    output, _, refused = verified(backup, capsys)
    assert "no blob was read" in refused
    assert "blobs:" not in output


def test_options_of_making_a_backup_are_refused(
    backup: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "leave out --no-blobs and --no-keys" in verified(backup, capsys, "--no-keys")[2]
    with pytest.raises(CommandError, match="add --verify"):
        call_command("backup", str(backup.parent), "--key", "name+id+key")


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB."""
    folder = tmp_path / "disk"
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k,mode=0700", "tmpfs", str(folder)]
    if why := subprocess.run(mount, capture_output=True, text=True, check=False).stderr:
        pytest.skip(f"mounting a tmpfs is not permitted here: {why}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("what", ["everything", "blobs alone"])
def test_a_full_disk_ends_a_backup_in_one_line_and_leaves_none(
    release: Revision, full_disk: Path, tmp_path: Path, what: str
) -> None:
    factories.published("acme/large", files={"large.bin": os.urandom(400_000)})
    folder, options = full_disk / "backups", []
    if what == "blobs alone":
        folder, options = tmp_path / "backups", ["--blobs", f"file://{full_disk}/blobs"]
    with pytest.raises(CommandError) as refused:
        call_command("backup", str(folder), *options)
    assert "\n" not in str(refused.value)
    assert any(word in str(refused.value) for word in ("No space left", "full")), refused.value
    assert not list(folder.glob("2*")) + list(folder.glob("*.part"))
    assert shutil.disk_usage(full_disk).total < 400_000


def test_a_full_disk_ends_a_restore_in_one_line_and_leaves_nothing_of_the_database(
    full_disk: Path, tmp_path: Path
) -> None:
    dump = tmp_path / "database.sqlite3"
    dump.write_bytes(os.urandom(400_000))
    with (
        pytest.raises(
            BackupError, match=r"\(No space left on device\); free some space"
        ) as refused,
        sqlite.restored(dump, full_disk, "drill"),
    ):
        pass
    assert "\n" not in str(refused.value)
    assert list(full_disk.iterdir()) == []
