"""Only backups signed by the portal itself are restored, and only the newest (OP)."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.merkle_log import copies, rollback, sealer, signed_heads
from accounts.audit.merkle_log import keys as audit_keys
from accounts.audit.merkle_log.signed_notes import Verifier
from accounts.audit.models import AuditEvent, SignedHead
from accounts.users.models import User
from portal.backup import copied_heads, layout, signature
from portal.errors import BackupError
from tests.accounts.audit.merkle_log import keys, rows
from tests.portal.backup.test_backup import taken
from tests.portal.backup.test_restore import killed_at, lose
from tests.support import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_horizon")]

Manage = Callable[..., str]
READERS = (["restore"], ["restore_drill"], ["backup", "--verify"])


@pytest.fixture
def backup(store: Path, tmp_path: Path, manage: Manage) -> Path:
    """A small signed backup in a sealed trail."""
    rows.event()
    sealer.seal()
    factories.published("acme/small")
    return taken(manage, tmp_path / "backups")


def refusal(command: list[str], backup: Path, *options: str) -> str:
    """The one line with which a command refuses the backup."""
    with pytest.raises(CommandError) as refused:
        call_command(*command, str(backup), *options)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def public_key(backup: Path) -> str:
    return (backup / layout.SIGNATURE).read_text().splitlines()[0]


def make_superuser_of_everybody(backup: Path) -> None:
    """Change the dump and recompute its hash, as somebody with the backup alone can."""
    dump = backup / layout.read(backup).database
    with closing(sqlite3.connect(dump)) as database, database:
        database.execute("UPDATE accounts_user SET is_superuser = 1, is_staff = 1")
    index = json.loads((backup / layout.INDEX).read_text())
    index["members"][0] = asdict(layout.member(backup, dump))
    (backup / layout.INDEX).write_text(json.dumps(index))


@pytest.mark.requirement("OP-14")
def test_a_changed_dump_with_a_recomputed_hash_is_refused_by_every_reader(
    backup: Path, applicant: User, manage: Manage, tmp_path: Path
) -> None:
    """The finding: every check passed, and a researcher was superuser."""
    if connection.vendor != "sqlite":
        pytest.skip("a dump of SQLite is changed with one statement")
    backup = taken(manage, tmp_path / "with-a-researcher")
    make_superuser_of_everybody(backup)
    for command in READERS:
        assert "is not what was signed" in refusal(command, backup)
        assert "is not what was signed" in refusal(command, backup, "--unsigned")
    theirs = Ed25519PrivateKey.generate()
    (backup / layout.SIGNATURE).unlink()
    signature.sign(backup, theirs)
    for command in READERS:
        assert "which nothing here vouches for; add --key" in refusal(command, backup)


@pytest.mark.one_database
@pytest.mark.requirement("OP-14")
def test_an_unsigned_backup_needs_an_option(
    backup: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (backup / layout.SIGNATURE).unlink()
    for command in READERS:
        assert "add --unsigned for one that was made before" in refusal(command, backup)
    call_command("backup", "--verify", str(backup), "--unsigned")
    assert "signature: NOT CHECKED (--unsigned)" in capsys.readouterr().out


@pytest.mark.one_database
def test_a_backup_of_the_older_format_is_read_with_the_option(
    backup: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = json.loads((backup / layout.INDEX).read_text())
    index["format"] = layout.UNSIGNED_FORMAT
    del index["sealed_rows"]
    (backup / layout.INDEX).write_text(json.dumps(index))
    (backup / layout.SIGNATURE).unlink()
    call_command("backup", "--verify", str(backup), "--unsigned")
    assert capsys.readouterr().out.endswith("The backup is as it was made.\n")


@pytest.mark.one_database
def test_the_key_of_the_command_line_is_the_only_one_that_counts(
    backup: Path, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.AUDIT_KEY_FILE = str(tmp_path / "of-an-empty-install.pem")
    assert "nothing here vouches for" in refusal(["backup", "--verify"], backup)
    call_command("backup", "--verify", str(backup), "--key", public_key(backup))
    assert "trusted by --key" in capsys.readouterr().out
    other = Verifier("other", Ed25519PrivateKey.generate().public_key()).vkey
    assert "not by the one of --key" in refusal(["backup", "--verify"], backup, "--key", other)
    assert "is no Ed25519 key of" in refusal(["backup", "--verify"], backup, "--key", "8af8a90e")


@pytest.mark.one_database
def test_the_newest_copied_head_vouches_for_its_key_and_an_older_one_does_not(
    backup: Path, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key may have been replaced because it had leaked."""
    settings.AUDIT_HEAD_COPY = f"file://{tmp_path}/heads.txt"
    signed_heads.sign()
    copies.sweep(timezone.now())
    settings.AUDIT_KEY_FILE = ""
    call_command("backup", "--verify", str(backup))
    assert f"trusted by {settings.AUDIT_HEAD_COPY}" in capsys.readouterr().out
    settings.AUDIT_KEY_FILE = keys.write(tmp_path)
    sealer.seal()
    signed_heads.sign()
    copies.sweep(timezone.now())
    assert "nothing here vouches for" in refusal(["backup", "--verify"], backup)


@pytest.mark.one_database
def test_no_backup_contains_the_key_that_signs_it(backup: Path, audit_key: str) -> None:
    secret = Path(audit_key).read_bytes()
    assert not [path for path in backup.rglob("*.*") if secret in path.read_bytes()]


@pytest.mark.one_database
def test_a_file_that_was_added_to_a_backup_is_refused(
    backup: Path, manage: Manage, tmp_path: Path
) -> None:
    """Keys of somebody else beside a backup that has none would sign their sessions."""
    bare = taken(manage, tmp_path / "bare", "--no-keys")
    (bare / "keys").mkdir()
    (bare / "keys" / "keys.env").write_text("SECRET_KEY=theirs\n")
    assert "was not part of the backup" in refusal(["restore_drill"], bare)


@pytest.mark.one_database
def test_no_backup_is_made_without_a_key_or_with_a_compromised_one_unasked(
    backup: Path, settings: Settings, tmp_path: Path, manage: Manage
) -> None:
    folder = tmp_path / "others"
    head = signed_heads.sign()
    audit_keys.mark_compromised(head.vkey, "it was on a shared host")
    assert "holds a compromised key" in refusal(["backup"], folder)
    settings.AUDIT_KEY_FILE = ""
    assert "run this in a worker" in refusal(["backup"], folder)
    assert not list(folder.glob("2*"))
    assert not (taken(manage, folder, "--unsigned") / layout.SIGNATURE).exists()


@pytest.mark.one_database
def test_a_backup_that_is_killed_at_any_step_of_its_end_leaves_none(
    backup: Path, tmp_path: Path, manage: Manage
) -> None:
    folder = tmp_path / "killed"
    for place in ((layout, "blob_list_text"), (layout, "member"), (signature, "sign")):
        killed_at(*place, "backup", str(folder))
        assert not list(folder.glob("2*Z")), place
    finished = taken(manage, folder)
    assert not list(folder.glob("*.part"))
    manage("backup", "--verify", str(finished))


@pytest.mark.one_database
@pytest.mark.parametrize("content", ["", "one line\n", "no key\nAAAA\n", "\x00\n\n\n"])
def test_a_damaged_signature_is_no_missing_one(backup: Path, content: str) -> None:
    (backup / layout.SIGNATURE).write_text(content)
    assert "backup.sig is damaged" in refusal(["backup", "--verify"], backup, "--unsigned")


# -- rollbacks ------------------------------------------------------------------------------


@pytest.fixture
def copied(settings: Settings, tmp_path: Path) -> Path:
    """The file of AUDIT_HEAD_COPY."""
    settings.AUDIT_HEAD_COPY = f"file://{tmp_path}/heads.txt"
    return tmp_path / "heads.txt"


def sign_a_head() -> SignedHead:
    rows.event()
    sealer.seal()
    head = signed_heads.sign()
    copies.sweep(timezone.now())
    return head


@pytest.mark.requirement("OP-15")
def test_a_restored_portal_signs_no_head_over_a_rollback_until_it_is_accepted(
    backup: Path, copied: Path, manage: Manage, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = sign_a_head()
    lose(store)
    line = refusal(["restore"], backup)
    assert line.startswith("this backup is a rollback: it has 1 sealed rows, and file://")
    assert f"a head over {later.size} rows" in line
    assert not connection.introspection.table_names() or not User.objects.exists()

    output = manage("restore", str(backup), "--accept-rollback")
    assert f"copied heads: accepted as lost: a head over {later.size} rows" in output
    event = AuditEvent.objects.get(action="audit.rollback_accepted")
    assert event.details["sealed"] == 1
    sealer.seal()
    assert signed_heads.sign().size == AuditEvent.objects.count() - 1, (
        "all but the event of signing"
    )
    manage("restore", str(backup), "--accept-rollback")
    assert AuditEvent.objects.filter(action="audit.rollback_accepted").count() == 1


@pytest.mark.one_database
def test_a_backup_that_has_all_rows_of_the_newest_head_is_no_rollback(
    store: Path, copied: Path, manage: Manage, tmp_path: Path
) -> None:
    head = sign_a_head()
    sealer.seal()
    backup = taken(manage, tmp_path / "backups")
    assert (layout.read_index(backup).sealed_rows or 0) > head.size
    assert rollback.lost_heads() == []


@pytest.mark.one_database
def test_an_unreadable_place_of_copies_is_no_proof_of_the_newest_state(
    backup: Path, copied: Path
) -> None:
    copied.mkdir()
    with pytest.raises(BackupError, match="AUDIT_HEAD_COPY cannot be read"):
        copied_heads.refuse_rollback(layout.read_index(backup), accept=False)
