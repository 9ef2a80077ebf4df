"""Backups while the portal runs, and the drill that detects bad ones (OP)."""

import json
import os
import stat
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from psycopg.conninfo import conninfo_to_dict
from pytest_django import Settings

from accounts.audit.merkle_log import sealer
from portal.backup import create, layout, signature
from portal.databases import postgres
from portal.errors import BackupError
from tests.accounts.audit.merkle_log import rows
from tests.support import factories
from tests.support.database import trail
from tests.support.servers import live, s3, services
from tests.support.servers.services import wait_until
from weights.manifests.models import PublishedManifest
from weights.publishing.models import Revision
from weights.storage.models import Blob

pytestmark = pytest.mark.django_db(transaction=True)

Manage = Callable[..., str]


@pytest.fixture
def release(store: Path) -> Revision:
    """A published revision of three files with a stored manifest, in a sealed trail."""
    rows.event()
    sealer.seal()
    revision = factories.published("acme/small")
    call_command("verify_manifests")
    return revision


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def taken(manage: Manage, folder: Path, *options: str) -> Path:
    return Path(manage("backup", str(folder), *options).strip())


def drill(backup: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[str, str]:
    """The output of a drill, and its error; empty if it succeeded."""
    capsys.readouterr()
    try:
        call_command("restore_drill", str(backup), *options)
    except CommandError as error:
        return capsys.readouterr().out, str(error)
    return capsys.readouterr().out, ""


def blob_of(store: Path, revision: Revision, path: str = "model.safetensors") -> Path:
    name = revision.files.get(path=path).sha256
    return store / name[:2] / name[2:4] / name


def flip(path: Path) -> None:
    """Change one bit of the last byte."""
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([byte ^ 1]))


def sign_again(backup: Path) -> None:
    """Sign what a test wrote into the index, as the portal itself would."""
    (backup / layout.SIGNATURE).unlink()
    signature.sign(backup, signature.signing_key())


def databases() -> int:
    """How many databases of drills the server holds."""
    if connection.vendor == "sqlite":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'weighbridge_drill_%'")
        return int(cursor.fetchone()[0])


def no_database_is_left() -> None:
    """Those of drills that run beside this one, in the same server, go by themselves."""
    wait_until(lambda: databases() == 0, "the end of every drill's database")


# -- a good backup --------------------------------------------------------------------------


@pytest.mark.requirement("OP-7")
def test_a_backup_restores_to_a_portal_that_holds_what_its_manifests_say(
    release: Revision,
    folder: Path,
    manage: Manage,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    backup = taken(manage, folder)
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    said, refused = drill(moved / backup.name, capsys, "--scratch", str(tmp_path))
    assert refused == "", said
    for line in ("migrations: none to apply", "rows checked: 1", "revisions: 1", "files: 3"):
        assert line in said
    assert f"blobs read: 3 ({sum(map(len, factories.SMALL_MODEL.values()))} bytes)" in said
    assert "differences: 0" in said
    assert said.endswith("The backup restores the portal.\n")
    no_database_is_left()
    assert not list(tmp_path.glob("drill-*"))


def test_only_its_owner_reads_a_backup(release: Revision, folder: Path, manage: Manage) -> None:
    backup = taken(manage, folder)
    for path in (folder, backup, backup / "keys"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    files = [path for path in backup.rglob("*") if path.is_file()]
    assert len(files) == 5
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_keys_come_along_as_the_environment_spells_them(
    release: Revision, folder: Path, manage: Manage, settings: Settings, tmp_path: Path
) -> None:
    backup = taken(manage, folder)
    assert (backup / "keys" / "keys.env").read_text().splitlines() == [
        f"SECRET_KEY={services.SECRET_KEY}",
        f"LINK_KEYS={services.LINK_KEYS}",
        f"ENCRYPTION_KEYS={services.ENCRYPTION_KEYS}",
    ]
    (tmp_path / "keys.env").write_text("SECRET_KEY=overruled\nMAIL_FROM=lab@example.org\n")
    settings.DATA_DIR = tmp_path
    later = taken(manage, folder.with_name("embedded"))
    kept = (later / "keys" / "keys.env").read_text().splitlines()
    assert kept[0] == f"SECRET_KEY={services.SECRET_KEY}"
    assert kept[3:] == ["MAIL_FROM=lab@example.org"]
    later = taken(manage, folder.with_name("others"), "--no-keys")
    assert not (later / "keys").exists()


def test_blobs_are_stored_once_for_all_backups_of_a_folder(
    release: Revision, folder: Path, manage: Manage, capsys: pytest.CaptureFixture[str]
) -> None:
    taken(manage, folder, "--no-keys")
    factories.published("acme/late", files={"late.bin": b"published between"})
    capsys.readouterr()
    services.wait_until(lambda: not list(folder.glob(f"{timezone.now():%Y%m%dT%H%M%SZ}")), "time")
    call_command("backup", str(folder))
    assert "blobs: 4, copied 1 (17 bytes), present 3" in capsys.readouterr().err
    assert len([path for path in (folder / "blobs").glob("*/*/*") if path.is_file()]) == 4


def test_blobs_may_be_left_to_a_store_that_keeps_its_own_copies(
    release: Revision, folder: Path, store: Path, manage: Manage
) -> None:
    backup = taken(manage, folder, "--no-blobs")
    assert not (folder / "blobs").exists()
    assert len((backup / "blobs.txt").read_text().splitlines()) == 3
    assert layout.read(backup).blobs == f"file://{store}"


@pytest.mark.one_database
def test_blobs_go_from_a_bucket_to_a_bucket(
    s3_store: str, folder: Path, manage: Manage, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    factories.published("acme/small")
    other = f"s3://{s3.BUCKET}/{factories.word()}"
    taken(manage, folder, "--blobs", other)
    assert "differences: 0" in manage("verify_manifests", "--blobs", other)


def test_the_dump_and_its_list_of_blobs_are_of_one_moment(
    release: Revision, folder: Path, manage: Manage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is published while blobs are copied belongs to the next backup."""
    known = release.files.get(path="config.json").sha256
    Blob.objects.create(sha256="0" * 64, size=1, state="quarantined", quarantine_reason="bad")
    backup = taken(manage, folder)
    listed = dict(line.split() for line in (backup / "blobs.txt").read_text().splitlines())
    assert known in listed
    assert "0" * 64 not in listed, "its bytes are known to be bad"
    assert len(listed) == 3


# -- a bad one ------------------------------------------------------------------------------


@pytest.mark.parametrize("member", ["database", "blobs.txt", "keys/keys.env"])
def test_a_damaged_file_of_a_backup_is_named(
    release: Revision,
    folder: Path,
    manage: Manage,
    capsys: pytest.CaptureFixture[str],
    member: str,
) -> None:
    backup = taken(manage, folder)
    name = json.loads((backup / "backup.json").read_text())["database"]
    damaged = backup / (name if member == "database" else member)
    flip(damaged)
    assert drill(backup, capsys)[1].startswith(f"{damaged} is damaged")
    damaged.unlink()
    assert drill(backup, capsys)[1].startswith(f"{damaged} cannot be read")


def test_a_database_that_cannot_be_restored_is_refused_and_leaves_nothing(
    release: Revision, folder: Path, manage: Manage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Damage from before it was hashed: the tool that reads it is what finds it."""
    backup = taken(manage, folder)
    index = layout.read(backup)
    dump = backup / index.database
    dump.write_bytes(dump.read_bytes()[:4000])
    told = json.loads((backup / "backup.json").read_text())
    told["members"][0] = asdict(layout.member(backup, dump))
    (backup / "backup.json").write_text(json.dumps(told))
    sign_again(backup)
    refused = drill(backup, capsys)[1]
    assert "not a complete database" in refused or "pg_restore failed" in refused
    assert "\n" not in refused
    no_database_is_left()


def test_a_drill_names_every_difference_and_fails(
    release: Revision, folder: Path, store: Path, manage: Manage, capsys: pytest.CaptureFixture[str]
) -> None:
    rows.event(2)
    sealer.seal()
    with trail.unguarded(), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_auditevent SET action = 'thing.undone'")
    backup = taken(manage, folder)
    kept = folder / "blobs"
    blob_of(kept, release, "README.md").unlink()
    flip(blob_of(kept, release))
    cut = blob_of(kept, release, "config.json")
    cut.write_bytes(cut.read_bytes()[:-1])
    said, refused = drill(backup, capsys)
    assert refused.startswith("the drill failed: the audit trail, the manifests")
    assert "was altered after it was sealed" in said
    assert "(acme/small/README.md): missing" in said
    assert "(acme/small/config.json): 21 bytes instead of 22" in said
    assert "(acme/small/model.safetensors): its bytes have SHA-256" in said
    assert "differences: 3" in said


def test_a_blob_that_is_bad_in_the_store_is_named_and_the_rest_is_backed_up(
    release: Revision, folder: Path, store: Path, manage: Manage, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(blob_of(store, release))
    blob_of(store, release, "README.md").unlink()
    with pytest.raises(CommandError, match=r"^2 blobs could not be copied"):
        taken(manage, folder)
    (backup,) = folder.glob("2*Z")
    assert len(layout.read(backup).damaged) == 2
    assert not blob_of(folder / "blobs", release).exists(), "bad bytes get no good name"
    assert blob_of(folder / "blobs", release, "config.json").exists()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE weights_file SET path = 'other.json' WHERE path = 'config.json'", "its files"),
        ("UPDATE weights_revision SET sha = '1234567890123456789012345678901234567890'", "its id"),
        ("UPDATE weights_publishedmanifest SET text = text || ' '", "was altered"),
    ],
)
def test_a_manifest_that_was_changed_in_the_database_is_named(
    release: Revision,
    manage: Manage,
    statement: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    PublishedManifest.objects.create(revision=release, text="{}", sha256=sha256(b"{}").hexdigest())
    with connection.cursor() as cursor:
        cursor.execute(statement)
    with pytest.raises(CommandError, match="differences between the manifests"):
        manage("verify_manifests")
    assert words in capsys.readouterr().err


# -- interrupted, refused -------------------------------------------------------------------


@pytest.mark.processes
def test_a_killed_backup_is_finished_by_the_next_and_leaves_no_half_one(
    audit_key: str,
    store: Path,
    folder: Path,
    tmp_path: Path,
    manage: Manage,
    capsys: pytest.CaptureFixture[str],
) -> None:
    factories.published("acme/many", files={f"{n}.bin": os.urandom(40_000) for n in range(60)})
    environment = live.environment("http://127.0.0.1:1", f"file://{store}")
    environment["AUDIT_KEY_FILE"] = audit_key
    running = live.Portal("", environment, tmp_path).begin("backup", str(folder))
    kept = folder / "blobs"
    services.wait_until(lambda: len(list(kept.glob("*/*/*"))) > 5, "blobs", pause=0.001)
    running.kill()
    finished = list(folder.glob("2*Z"))
    capsys.readouterr()
    if not finished:  # it was killed at work, and not after it
        (part,) = folder.glob("*.part")
        assert drill(part, capsys)[1].startswith(f"{part} is not a complete backup")
    backup = taken(manage, folder)
    assert not list(folder.glob("*.part"))
    assert "differences: 0" in manage("verify_manifests", "--blobs", f"file://{kept}")
    assert layout.read(backup).blob_count == 60


def test_a_backup_that_fails_leaves_no_half_one(
    release: Revision, folder: Path, manage: Manage, settings: Settings
) -> None:
    settings.MANIFEST_KEY_FILE = str(folder / "no-such-key.pem")
    with pytest.raises(CommandError, match=r"no-such-key\.pem"):
        taken(manage, folder)
    assert {path.name for path in folder.iterdir()} <= {".backups", "blobs"}


@pytest.fixture
def public(store: Path, settings: Settings, tmp_path: Path) -> dict[str, Path]:
    settings.STATIC_ROOT = tmp_path / "collected"
    return {
        "static": Path(settings.STATIC_ROOT),
        "sources": live.ROOT / "static",
        "blobs": store,
        "around": tmp_path,
    }


@pytest.mark.parametrize("name", ["static", "sources", "blobs", "around"])
def test_no_backup_is_written_where_files_are_given_from(
    name: str, public: dict[str, Path], manage: Manage
) -> None:
    folder = public[name] if name == "around" else public[name] / "backups"
    with pytest.raises(CommandError, match=r"use a (separate )?folder"):
        taken(manage, folder)
    assert not folder.exists() or name == "around"


def test_a_link_into_a_public_folder_is_followed_before_it_is_judged(
    store: Path, tmp_path: Path, manage: Manage
) -> None:
    (tmp_path / "innocent").symlink_to(store)
    with pytest.raises(CommandError, match="the store of blobs"):
        taken(manage, tmp_path / "innocent" / "backups")


def test_a_folder_without_a_parent_is_refused_and_not_created(
    store: Path, tmp_path: Path, manage: Manage
) -> None:
    disk = tmp_path / "unmounted"
    with pytest.raises(CommandError, match=f"there is no folder {disk}: create it first"):
        taken(manage, disk / "backups")
    assert not disk.exists()


def test_a_folder_that_others_may_look_into_is_refused(
    release: Revision, folder: Path, manage: Manage
) -> None:
    folder.mkdir(mode=0o755)
    with pytest.raises(CommandError, match="chmod 700"):
        taken(manage, folder)


def test_two_backups_into_one_folder_do_not_meet(
    release: Revision, folder: Path, manage: Manage
) -> None:
    with create.locked(folder), pytest.raises(CommandError, match="is running"):
        taken(manage, folder)


@pytest.mark.one_database
def test_a_drill_refuses_what_cannot_be_before_it_restores(
    release: Revision, folder: Path, manage: Manage, capsys: pytest.CaptureFixture[str]
) -> None:
    backup = taken(manage, folder)
    for option, value, words in (
        ("--scratch", "/no/such/folder", "is not a folder"),
        ("--blobs", "nowhere", "is neither file:///folder"),
        ("--sample", "-1", "0 or more"),
    ):
        said, refused = drill(backup, capsys, option, value)
        assert words in refused
        assert "database: restored" not in said


@pytest.mark.one_database
def test_a_file_is_no_place_for_backups(release: Revision, folder: Path, manage: Manage) -> None:
    folder.write_text("")
    with pytest.raises(CommandError, match="is a file; use a folder"):
        taken(manage, folder)


@pytest.mark.one_database
def test_a_store_without_blobs_is_reported_in_one_line(
    release: Revision, tmp_path: Path, manage: Manage, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandError, match="has none of the 3 blobs"):
        manage("verify_manifests", "--blobs", f"file://{tmp_path}/nowhere")
    assert capsys.readouterr().err == ""


@pytest.mark.one_database
def test_a_missing_program_is_named_with_its_package(
    release: Revision, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A machine without the programs, or with old ones alone.
    monkeypatch.setattr(postgres, "_DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="none was found; install postgresql-client-18"):
        postgres.dump(tmp_path)
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 15.4'\n")
    old.chmod(0o755)
    with pytest.raises(BackupError, match="only 15 was found"):
        postgres.dump(tmp_path)


@pytest.mark.one_database
def test_no_password_is_in_the_arguments_of_a_process(
    release: Revision, folder: Path, monkeypatch: pytest.MonkeyPatch, manage: Manage
) -> None:
    commands: list[list[str]] = []
    passwords: list[tuple[str, int]] = []
    run = postgres._run

    def noted(command: list[str]) -> None:
        commands.append(command)
        file = Path(str(conninfo_to_dict(command[-1].removeprefix("--dbname="))["passfile"]))
        passwords.append((file.read_text(), stat.S_IMODE(file.stat().st_mode)))
        run(command)

    # The real program still runs; its arguments and its password file are noted on the way.
    monkeypatch.setattr(postgres, "_run", noted)
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "very:secret")
    taken(manage, folder)
    assert commands
    assert not any("secret" in word for command in commands for word in command)
    assert passwords == [("*:*:*:*:very\\:secret\n", 0o600)]
