"""A lost key file ends sessions and links, but loses no record (OP)."""

import shutil
import subprocess
from pathlib import Path

import pytest

from portal.backup import layout
from tests.support.servers import services
from tests.support.servers.install import Install

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.one_database,
    # In one process of the suite, so that the backup is made once.
    pytest.mark.xdist_group("lost keys"),
]

NOWHERE = {"BROKER_URL": "redis://127.0.0.1:1/0"}

#: An authenticator app, made as the page makes it.
ADD_APP = (
    "from accounts.users.models import User; from allauth.mfa.totp.internal.auth import TOTP;"
    "TOTP.activate(User.objects.get(), 'JBSWY3DPEHPK3PXP')"
)


def manage(data_dir: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command of the embedded install in this folder."""
    install = Install(data_dir, services.free_port(), data_dir.with_suffix(".log"), NOWHERE)
    return install.manage(*arguments)


@pytest.fixture(scope="module")
def whole_backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an embedded install with a checkpoint, a person and a second factor."""
    tmp_path = tmp_path_factory.mktemp("lost-keys")
    data_dir, model = tmp_path / "lost", tmp_path / "model"
    model.mkdir()
    (model / "model.bin").write_bytes(b"weights")
    for command in (
        ("prepare_install",),
        ("create_account", "ada", "ada@example.org"),
        ("shell", "--no-imports", "-c", ADD_APP),
        ("publish", str(model), "acme/model", "--tier", "open"),
        ("backup", str(tmp_path / "backups")),
    ):
        done = manage(data_dir, *command)
        assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture
def backup(whole_backup: Path, tmp_path: Path) -> Path:
    """A copy, with the blobs beside it, that a test may damage."""
    copies = Path(shutil.copytree(whole_backup.parent, tmp_path / "backups"))
    return copies / whole_backup.name


def public_key(backup: Path) -> str:
    return (backup / layout.SIGNATURE).read_text().splitlines()[0]


@pytest.mark.requirement("OP-17")
@pytest.mark.parametrize("harm", ["lost", "damaged"])
def test_a_lost_key_file_costs_no_record(backup: Path, tmp_path: Path, harm: str) -> None:
    lost = backup / "keys" / "keys.env"
    lost.unlink() if harm == "lost" else lost.write_text("SECRET_KEY=")
    (backup / "keys" / "manifest-key.pem").write_text("")
    new, trust = tmp_path / "new", ("--key", public_key(backup))
    done = manage(new, "restore", str(backup), *trust)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "add --without-keys" in done.stderr
    assert not (new / "db.sqlite3").exists()

    done = manage(new, "restore", str(backup), *trust, "--without-keys")
    assert done.returncode == 0, done.stderr
    for name in ("keys.env", "MANIFEST_KEY_FILE", "AUDIT_KEY_FILE"):
        assert f"keys: {name} made anew" in done.stdout
    assert "sessions and mailed confirmations" in done.stdout
    assert "recovery codes of 1 people cannot be checked" in done.stdout
    made = {path.name: path.read_text() for path in new.glob("*key*")}
    assert set(made) == {"keys.env", "manifest-key.pem", "audit-key.pem"}

    code = "from accounts.users.models import User; print(User.objects.get().username)"
    done = manage(new, "shell", "--no-imports", "-c", code)
    assert done.stdout == "ada\n"
    assert made == {path.name: path.read_text() for path in new.glob("*key*")}
    prepared = manage(new, "prepare_install")
    assert "1 second factors were encrypted with keys that" in prepared.stderr
    removed = manage(new, "remove_second_factors", "--unreadable")
    assert removed.stdout == "ada: totp removed\n"
    assert "verdict" in manage(new, "verify_audit").stdout


@pytest.mark.requirement("OP-14")
def test_an_empty_install_trusts_no_key_of_the_backup(backup: Path, tmp_path: Path) -> None:
    """A whole backup, keys included, on a machine that knows nothing else."""
    done = manage(tmp_path / "new", "restore", str(backup))
    assert done.returncode == 1
    assert "which nothing here vouches for; add --key" in done.stderr
    done = manage(tmp_path / "new", "restore", str(backup), "--key", public_key(backup))
    assert done.returncode == 0, done.stderr
    assert "keys: AUDIT_KEY_FILE is in no backup" in done.stdout
    restored = (tmp_path / "new" / "keys.env").read_text()
    assert restored == (backup / "keys" / "keys.env").read_text()
