"""A lost portal is restored from its backup, or nothing is changed (OP)."""

import os
import shutil
import signal
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import Settings

from accounts.audit.merkle_log import sealer
from accounts.audit.models import AuditEvent
from accounts.tiers.models import Tier
from accounts.users.models import User
from portal.backup import copied_heads, keys, layout, restore
from portal.databases import checks, postgres, sqlite, state
from portal.errors import BackupError
from portal.settings import audit_record, data_dir
from tests.accounts.audit.merkle_log import rows
from tests.portal.backup.test_backup import blob_of, flip, sign_again, taken
from tests.support import factories
from tests.support.servers import s3
from weights.catalogue import opt_family
from weights.integrity import scrub
from weights.manifests import store_check
from weights.publishing.models import Revision
from weights.storage import blob_storage, migration, store_at
from weights.storage.models import Blob
from weights.uploads.models import Upload

pytestmark = pytest.mark.django_db(transaction=True)

Manage = Callable[..., str]
WEIGHTS = "/acme/small/resolve/main/model.safetensors"


@pytest.fixture
def release(store: Path, gated_tier: Tier) -> Revision:
    """A gated revision of three files, in a sealed trail."""
    rows.event()
    sealer.seal()
    return factories.published("acme/small", gated_tier)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def backup(release: Revision, folder: Path, manage: Manage) -> Path:
    return taken(manage, folder)


def lose(store: Path | None = None) -> None:
    """The database of the settings, to its last table, and the blobs."""
    if connection.vendor == "sqlite":
        name = connection.settings_dict["NAME"]
        connections.close_all()
        for path in (name, f"{name}-wal", f"{name}-shm"):
            Path(path).unlink(missing_ok=True)
    else:
        with connection.cursor() as cursor:
            names = ", ".join(state.tables())
            cursor.execute(f"DROP TABLE {names} CASCADE")
    if store is not None:
        shutil.rmtree(store)


def body(answer: Any) -> bytes:
    return b"".join(answer) if answer.streaming else bytes(answer.content)


def source_of(backup: Path, named: str = "") -> restore.BlobSource:
    found = restore.blob_source(backup, layout.read(backup), named)
    assert found is not None
    return found


# -- there and back -------------------------------------------------------------------------


@pytest.mark.requirement("OP-8", "UP-7")
def test_a_lost_portal_comes_back_with_its_bytes_sessions_tokens_and_trail(
    release: Revision,
    folder: Path,
    store: Path,
    applicant: User,
    gated_tier: Tier,
    client: Client,
    manage: Manage,
) -> None:
    factories.grant(applicant, gated_tier)
    Upload.objects.create(
        person=applicant, checkpoint=release.checkpoint, sha256="a" * 64, size=1, state="complete"
    )
    token = {"Authorization": f"Bearer {factories.token(applicant, 'read-gated')}"}
    client.force_login(applicant)
    before = body(Client().get(WEIGHTS, headers=token))
    restore.take_marks(store_check.check_store(blob_storage()), blob_storage())
    backup = taken(manage, folder)
    lose(store)

    said = manage("restore", str(backup))
    for line in ("database: restored\n", "blobs: copied 3", "differences: 0"):
        assert line in said
    assert "Before anybody uses it:" in said
    assert body(Client().get(WEIGHTS, headers=token)) == before, "at once: no check is waited for"
    assert client.get("/access/").status_code == 200
    assert Upload.objects.count() == 0, "a backup has no object that no commit names"
    sealer.seal()
    assert "rows checked: " in manage("verify_audit")

    said = manage("restore", str(backup))
    assert "database: restored before" in said
    assert "blobs: copied 0 (0 bytes), present 3, failed 0" in said
    assert AuditEvent.objects.filter(action="portal.restored").count() == 1


def test_a_restore_killed_repeatedly_ends_the_same(
    backup: Path, store: Path, manage: Manage
) -> None:
    lose(store)
    in_the_database = (
        (postgres, "_run")
        if connection.vendor == "postgresql"
        else (
            sqlite,
            "remove_write_ahead_log",
        )
    )
    for place in (
        (keys, "restore"),
        in_the_database,
        (checks, "apply_migrations"),
        (restore, "record"),
        (migration, "copy_blob"),
        (checks, "check_audit_trail"),
        (copied_heads, "compare"),
    ):
        killed_at(*place, "restore", str(backup))
    assert "differences: 0" in manage("restore", str(backup))
    assert AuditEvent.objects.filter(action="portal.restored").count() == 1
    assert Revision.objects.get().checkpoint.repo_id == "acme/small"


def killed_at(module: Any, name: str, *command: str) -> None:
    """Run a command in a child that dies by -9 as it calls this function, the second for blobs."""
    connections.close_all()  # a child must not use its parent's connection
    child = os.fork()
    if child == 0:
        original, calls = getattr(module, name), []

        def die(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            if len(calls) == (2 if name == "copy_blob" else 1):
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        setattr(module, name, die)
        try:
            call_command(*command)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"it was not killed in {name}"


def test_blobs_are_not_restored_if_the_store_still_exists(
    backup: Path, folder: Path, store: Path, manage: Manage
) -> None:
    shutil.rmtree(folder / "blobs")
    lose()
    said = manage("restore", str(backup), "--no-blobs", "--sample", "1")
    assert "blobs: copied" not in said
    assert "blobs read: 1 " in said
    assert body(Client().get("/api/v1/checkpoints/acme/small")) != b""


def test_a_damaged_blob_of_the_right_size_is_named_at_the_end_and_repaired_by_a_second_run(
    backup: Path, folder: Path, store: Path, release: Revision, manage: Manage
) -> None:
    bad = blob_of(folder / "blobs", release)
    flip(bad)
    lose(store)
    with pytest.raises(
        CommandError, match=r"^the portal is restored except for some blobs, the man"
    ):
        manage("restore", str(backup))
    flip(bad)
    assert "blobs: copied 1 " in manage("restore", str(backup))


@pytest.mark.one_database
def test_a_bucket_gets_the_blobs_and_addresses_are_bound_to_its_versions(
    backup: Path, s3_server: s3.Store, settings: Settings
) -> None:
    settings.S3_ENDPOINT_URL = settings.S3_PUBLIC_ENDPOINT_URL = s3_server.endpoint
    settings.WEIGHTS_STORAGE = s3_server.versioned()
    target = store_at(settings.WEIGHTS_STORAGE)
    Blob.objects.update(mark="of a store that is gone", version="1", version_in=target.address)
    source = source_of(backup)
    restore.check_stores(source, read=True, incomplete=False)
    assert restore.copy_blobs(source, print) == []
    restore.forget_marks()
    restore.take_marks(store_check.check_store(target), target)
    for blob in Blob.objects.all():
        assert len(blob.version_of(target.address)) > 1
        stored = target.stat(blob.sha256)
        assert stored is not None
        assert blob.change(stored, target.address) == ""


# -- what is refused before a thing is touched ----------------------------------------------


def test_a_database_in_use_is_refused_with_what_it_holds(
    backup: Path, applicant: User, manage: Manage
) -> None:
    with pytest.raises(CommandError, match=r"not empty \(1 accounts, 1 revisions, .*DATABASE_URL"):
        manage("restore", str(backup))


@pytest.mark.one_database
def test_another_backup_than_the_one_that_was_restored_is_refused(
    backup: Path, manage: Manage
) -> None:
    state.write_restore_mark(state.RestoreMark("0" * 64, "2026-11-25T01:00:00+00:00"))
    with pytest.raises(CommandError, match=r"restored from the backup of 2026-11-25T01"):
        manage("restore", str(backup))


def test_a_prepared_install_counts_as_empty_until_somebody_has_an_account(store: Path) -> None:
    opt_family.load()
    audit_record.note("web")
    scrub.survey()
    assert state.rows_in_use() == ""
    factories.person()
    assert state.rows_in_use().startswith("1 accounts")


def test_a_database_with_tables_of_something_else_is_refused(db: None) -> None:
    state.refuse_foreign_tables()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE ledgers_of_others (id integer)")
        try:
            with pytest.raises(BackupError, match="ledgers_of_others"):
                state.refuse_foreign_tables()
        finally:
            cursor.execute("DROP TABLE ledgers_of_others")


@pytest.mark.one_database
def test_a_damaged_backup_is_refused_before_the_database_is_queried(
    backup: Path, manage: Manage
) -> None:
    flip(backup / "blobs.txt")
    with pytest.raises(CommandError, match=r"blobs.txt is damaged"):
        manage("restore", str(backup))


@pytest.mark.parametrize(
    ("here", "there", "remedy"),
    [
        ("postgresql", "sqlite", "move_database postgres"),
        ("sqlite", "postgresql", "to an empty database"),
    ],
)
def test_a_backup_of_the_other_kind_of_database_is_refused_with_a_remedy(
    backup: Path, manage: Manage, here: str, there: str, remedy: str
) -> None:
    if connection.vendor != here:
        pytest.skip("the other way round on this database")
    statement = backup / "backup.json"
    statement.write_text(statement.read_text().replace(f'"{here}"', f'"{there}"'))
    sign_again(backup)
    with pytest.raises(CommandError, match=remedy):
        manage("restore", str(backup))


@pytest.mark.one_database
@pytest.mark.parametrize("harm", ["same size", "other size"])
def test_a_store_with_other_bytes_under_a_name_is_refused(
    backup: Path, store: Path, release: Revision, harm: str
) -> None:
    path = blob_of(store, release)
    flip(path) if harm == "same size" else path.write_bytes(b"short")
    source = source_of(backup)
    with pytest.raises(BackupError, match=rf"other bytes under the name of blob {path.name}"):
        restore.check_stores(source, read=True, incomplete=False)


@pytest.mark.one_database
def test_a_backup_that_lacks_blobs_is_refused_unless_the_rest_is_wanted(
    backup: Path, folder: Path, store: Path, release: Revision, capsys: pytest.CaptureFixture[str]
) -> None:
    blob_of(folder / "blobs", release).unlink()
    shutil.rmtree(store)
    source = source_of(backup)
    with pytest.raises(BackupError, match=r"lacks 1 of its blobs.*--incomplete"):
        restore.check_stores(source, read=True, incomplete=False)
    restore.check_stores(source, read=True, incomplete=True)
    assert restore.copy_blobs(source, print) == ["some blobs"]
    assert "blobs: copied 2" in capsys.readouterr().out


@pytest.mark.one_database
def test_a_store_without_any_of_the_blobs_is_no_source(
    backup: Path, folder: Path, store: Path
) -> None:
    shutil.rmtree(folder / "blobs")
    shutil.rmtree(store)
    with pytest.raises(BackupError, match=r"has none of the backup's 3 blobs.*--no-blobs"):
        restore.check_stores(source_of(backup), read=True, incomplete=False)


@pytest.mark.one_database
def test_the_backups_own_blobs_do_not_become_the_portals_store(
    backup: Path, folder: Path, settings: Settings
) -> None:
    settings.WEIGHTS_STORAGE = f"file://{folder}/blobs"
    with pytest.raises(BackupError, match="use another store"):
        source_of(backup)


def test_a_database_that_others_are_at_work_in_is_left_alone(
    backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A smaller limit: other connections stay open for longer than seconds.
    monkeypatch.setattr(postgres, "_PATIENCE", 0.0)
    vendor: Any = postgres if connection.vendor == "postgresql" else sqlite
    dump = backup / layout.read(backup).database
    with somebody_else(), pytest.raises(BackupError, match="stop web, worker and beat"):
        vendor.restore(dump, state.RestoreMark("0" * 64, "now"))
    assert Revision.objects.count() == 1


@contextmanager
def somebody_else() -> Iterator[None]:
    """Another process's connection to the database, amid a transaction."""
    if connection.vendor == "postgresql":
        with psycopg.connect(**connection.get_connection_params()):
            yield
    else:
        with closing(sqlite3.connect(connection.settings_dict["NAME"])) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM accounts_user").fetchone()
            yield


@pytest.mark.one_database
def test_a_backup_of_a_newer_version_is_known_by_its_migrations(db: None) -> None:
    later = MigrationRecorder.Migration.objects.create(app="accounts", name="9999_later")
    try:
        with pytest.raises(BackupError, match=r"newer version .* accounts\.9999_later"):
            checks.apply_migrations(print)
    finally:
        later.delete()


# -- keys -----------------------------------------------------------------------------------


@pytest.fixture
def install(tmp_path: Path, settings: Settings) -> Path:
    """An embedded install's folder with keys in it."""
    folder = tmp_path / "install"
    folder.mkdir()
    settings.DATA_DIR = folder
    lines = f"SECRET_KEY={settings.SECRET_KEY}\nLINK_KEYS={os.environ['LINK_KEYS']}\n"
    lines += f"ENCRYPTION_KEYS={os.environ['ENCRYPTION_KEYS']}\n"
    data_dir.write_once(data_dir.keys_file(folder), f"{lines}MAIL_FROM=lab@example.org\n")
    settings.MANIFEST_KEY_FILE = str(data_dir.manifest_key_file(folder))
    return folder


@pytest.mark.one_database
def test_keys_go_back_where_they_are_missing_and_over_no_other(
    install: Path, tmp_path: Path, settings: Settings
) -> None:
    kept = tmp_path / "keys"
    keys.write(kept)
    assert outcomes(kept) == {"keys.env": "already present", "MANIFEST_KEY_FILE": "already present"}

    for path in install.glob("*"):
        path.unlink()
    assert outcomes(kept) == {"keys.env": "restored", "MANIFEST_KEY_FILE": "restored"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in install.glob("*")} == {0o600}
    assert (install / "keys.env").read_text() == (kept / "keys.env").read_text()

    (install / "manifest-key.pem").unlink()
    other = data_dir.manifest_key_file(install).read_text()
    settings.SECRET_KEY = "another one that is long enough and made of many letters"
    said = outcomes(kept)
    assert (
        "differs from the key of this install, which was not changed" in said["MANIFEST_KEY_FILE"]
    )
    assert "another SECRET_KEY than this install" in said["keys.env"]
    assert (install / "manifest-key.pem").read_text() == other


def outcomes(kept: Path) -> dict[str, str]:
    return {placed.name: placed.outcome for placed in keys.restore(kept)}


@pytest.mark.one_database
def test_an_operator_is_warned_about_settings_that_return_with_the_keys(
    install: Path, tmp_path: Path
) -> None:
    keys.write(tmp_path / "keys")
    (install / "keys.env").unlink()
    placed = keys.restore(tmp_path / "keys")[0]
    assert "also sets MAIL_FROM" in placed.remedy


@pytest.mark.one_database
def test_a_place_that_cannot_be_written_is_named(install: Path, tmp_path: Path) -> None:
    keys.write(tmp_path / "keys")
    shutil.rmtree(install)
    install.write_text("in the way")
    with pytest.raises(BackupError, match=r"put .*keys\.env there manually"):
        keys.restore(tmp_path / "keys")


@pytest.mark.one_database
def test_no_key_is_made_before_a_restore_which_brings_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The suite's own command line names no command of the portal.
    monkeypatch.setattr("sys.argv", ["manage.py", "restore", "/backup"])
    data_dir.prepare(tmp_path)
    assert not data_dir.manifest_key_file(tmp_path).exists()
    assert not data_dir.audit_key_file(tmp_path).exists()
    assert not data_dir.keys_file(tmp_path).exists()
    # The suite's own command line names no command of the portal.
    monkeypatch.setattr("sys.argv", ["manage.py", "check"])
    data_dir.prepare(tmp_path)
    assert data_dir.keys_file(tmp_path).exists()
