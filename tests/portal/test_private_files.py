"""What the portal writes is for its own user alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.install import FOREIGN
from tests.live import ROOT

# -- what is written ----------------------------------------------------------------------


def manage(data_dir: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command of an embedded install, started under the usual umask of a login shell."""
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    ours = {"DJANGO_SETTINGS_MODULE": "portal.settings.embedded", "DATA_DIR": str(data_dir)}
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=environment | ours | settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        umask=0o022,
    )


def open_to_others(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.stat().st_mode & 0o077]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Made by an operator, as open as the umask of a login shell leaves it."""
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o755)
    return folder


@pytest.mark.requirement("ST-10")
@pytest.mark.one_database
def test_nothing_in_a_folder_that_was_made_beforehand_is_open_to_others(
    data_dir: Path, tmp_path: Path
) -> None:
    model, store, backups = tmp_path / "model", tmp_path / "store", tmp_path / "backups"
    model.mkdir()
    (model / "model.bin").write_bytes(b"weights")
    outside = {"WEIGHTS_STORAGE": f"file://{store}", "BROKER_URL": "redis://127.0.0.1:1/0"}
    for command in (
        ("prepare_install",),
        ("publish", str(model), "acme/model", "--tier", "open"),
        ("backup", str(backups)),
    ):
        done = manage(data_dir, *command, **outside)
        assert done.returncode == 0, done.stderr
    assert len(list(store.glob("*/*/*"))) == len(list(backups.glob("blobs/*/*/*"))) == 1
    assert (data_dir / "db.sqlite3").exists()
    assert open_to_others(data_dir) + open_to_others(store) + open_to_others(backups) == []


@pytest.mark.one_database
def test_what_an_earlier_release_left_open_is_shut_at_the_next_command(data_dir: Path) -> None:
    assert manage(data_dir, "migrate").returncode == 0
    for path in (data_dir / "db.sqlite3", data_dir / "run", data_dir / "blobs"):
        path.chmod(0o755)
    assert manage(data_dir, "check").returncode == 0
    assert open_to_others(data_dir) == []
