"""Files that the portal writes and secrets it reads are only for its own user."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal.settings import environment as env
from portal.settings.private_files import _file_system, refuse_readable
from tests.support.servers import live, proc, services
from tests.support.servers.install import Install
from tests.support.servers.live import ROOT

SECRETS = {
    "SECRET_KEY": services.SECRET_KEY,
    "LINK_KEYS": services.LINK_KEYS,
    "ENCRYPTION_KEYS": services.ENCRYPTION_KEYS,
    "EMAIL_PASSWORD": "of-the-mail-server",
    "ORCID_CLIENT_SECRET": "of-orcid",
}


# -- what is written ----------------------------------------------------------------------


def install(data_dir: Path, **settings: str) -> Install:
    """An embedded install in this folder; nothing of it runs."""
    return Install(data_dir, services.free_port(), data_dir.with_suffix(".log"), settings)


def spawned(one: Install, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command in an interpreter of its own, under the usual umask of a login shell.

    Unlike a fork it begins before the portal has opened its store or written any file.
    """
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=one.environment,
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
        done = spawned(install(data_dir, **outside), *command)
        assert done.returncode == 0, done.stderr
    assert len(list(store.glob("*/*/*"))) == len(list(backups.glob("blobs/*/*/*"))) == 1
    assert (data_dir / "db.sqlite3").exists()
    assert open_to_others(data_dir) + open_to_others(store) + open_to_others(backups) == []


@pytest.mark.one_database
def test_files_that_an_earlier_release_left_readable_are_closed_at_the_next_command(
    data_dir: Path,
) -> None:
    assert install(data_dir).manage("check").returncode == 0
    (data_dir / "db.sqlite3").touch()
    for path in (data_dir / "db.sqlite3", data_dir / "run", data_dir / "blobs"):
        path.chmod(0o755)
    assert spawned(install(data_dir), "check").returncode == 0
    assert open_to_others(data_dir) == []


@pytest.mark.requirement("AC-15")
@pytest.mark.one_database
def test_an_install_of_an_earlier_release_gets_its_key_once(data_dir: Path) -> None:
    """However many processes start at once; a key that changed would make secrets unreadable."""
    assert install(data_dir).manage("check").returncode == 0
    keys = data_dir / "keys.env"
    before = keys.read_text().partition("ENCRYPTION_KEYS=")[0] + "MAIL_FROM=lab@example.org"
    keys.write_text(before)
    started = [install(data_dir).begin("check") for _ in range(4)]
    done = [one.finish() for one in started]
    assert [one.returncode for one in done] == [0] * 4, [one.stderr for one in done]
    after = keys.read_text()
    assert re.fullmatch(re.escape(before) + r"\nENCRYPTION_KEYS=k1:[0-9a-f]{64}\n", after)
    assert open_to_others(data_dir) == []


# -- what is read -------------------------------------------------------------------------


@pytest.mark.requirement("ST-11")
@pytest.mark.one_database
def test_a_readable_file_of_keys_is_refused_by_name_with_the_remedy(data_dir: Path) -> None:
    assert install(data_dir).manage("check").returncode == 0
    keys = data_dir / "keys.env"
    keys.chmod(0o644)
    done = install(data_dir).manage("check")
    assert done.returncode == 1
    assert done.stderr == f"keys.env: {keys} is readable by everybody; chmod 600 {keys}\n"
    assert not done.stdout


@pytest.mark.requirement("ST-11")
@pytest.mark.usefixtures("no_values_of_files")
@pytest.mark.parametrize(
    "name",
    [
        *("SECRET_KEY", "LINK_KEYS", "ENCRYPTION_KEYS", "DATABASE_PASSWORD"),
        "AWS_SECRET_ACCESS_KEY",
        *("EMAIL_PASSWORD", "ORCID_CLIENT_SECRET", "GITHUB_CLIENT_SECRET", "GOOGLE_CLIENT_SECRET"),
    ],
)
@pytest.mark.parametrize(("mode", "taken"), [(0o600, True), (0o440, True), (0o644, False)])
def test_a_secret_is_read_from_a_file_that_others_cannot_read(
    name: str, mode: int, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text("a secret")
    file.chmod(mode)
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(f"{name}_FILE", str(file))
    if taken:
        env.read_secrets(f"{name}_FILE")
        assert env.text(name) == "a secret"
        assert name not in os.environ
    else:
        with pytest.raises(ImproperlyConfigured, match=f"^{name}_FILE: {file} .*; chmod 600 "):
            env.read_secrets(f"{name}_FILE")


def test_a_readable_key_of_the_cdn_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "cdn.pem"
    made = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run([*made, "-out", str(key)], check=True, capture_output=True)
    key.chmod(0o604)
    monkeypatch.setenv("CDN_URL", "https://cdn.example.org")
    monkeypatch.setenv("CDN_KEY_ID", "K1")
    monkeypatch.setenv("CDN_KEY_FILE", str(key))
    with pytest.raises(ImproperlyConfigured, match=f"^CDN_KEY_FILE: {key} .*; chmod 600 {key}"):
        env.cdn("CDN_URL", "CDN_KEY_ID", "CDN_KEY_FILE")
    key.chmod(0o600)
    assert env.cdn("CDN_URL", "CDN_KEY_ID", "CDN_KEY_FILE")[2] == str(key)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs with a secret that every user may read."""
    folder = tmp_path / "run-secrets"
    folder.mkdir()
    if why := _run("mount", "-t", "tmpfs", "tmpfs", str(folder)):
        pytest.skip(f"mounting a tmpfs is not permitted here: {why}")
    (folder / "secret").write_text("a secret")
    (folder / "secret").chmod(0o444)
    yield folder
    assert _run("umount", str(folder)) == ""


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def test_secrets_mounted_by_a_container_runtime_are_accepted(disk: Path, tmp_path: Path) -> None:
    """Docker Swarm and Kubernetes do so: a tmpfs, read-only, of mode 0444 or 0644."""
    with pytest.raises(ImproperlyConfigured):
        refuse_readable("SECRET_KEY_FILE", disk / "secret")
    assert _run("mount", "-o", "remount,ro", str(disk)) == ""
    refuse_readable("SECRET_KEY_FILE", disk / "secret")


@pytest.fixture
def file_on_a_disk() -> Iterator[Path]:
    """An empty file outside tmpfs, unlike the suite's temporary files."""
    with NamedTemporaryFile(dir="/var/tmp") as file:
        if _file_system(Path(file.name)) == "tmpfs":
            pytest.skip("/var/tmp is a tmpfs here")
        yield Path(file.name)


def test_a_readable_file_of_the_host_is_refused_in_a_container_too(
    file_on_a_disk: Path, tmp_path: Path
) -> None:
    """Compose binds files of the host, whose other users read them."""
    secret, inside = file_on_a_disk, tmp_path / "inside"
    secret.write_text("a secret")
    secret.chmod(0o644)
    inside.touch()
    if why := _run("mount", "--bind", str(secret), str(inside)):
        pytest.skip(f"mounting is not permitted here: {why}")
    try:
        assert _run("mount", "-o", "remount,bind,ro", str(inside)) == ""
        with pytest.raises(ImproperlyConfigured):
            refuse_readable("SECRET_KEY_FILE", inside)
    finally:
        assert _run("umount", str(inside)) == ""


# -- what a running process shows ---------------------------------------------------------


@pytest.fixture
def secret_files(tmp_path: Path) -> dict[str, str]:
    """The variables that name files in the place of secrets."""
    variables = {}
    for name, value in SECRETS.items():
        file = tmp_path / name.lower()
        file.write_text(value)
        file.chmod(0o600)
        variables[f"{name}_FILE"] = str(file)
    return variables


@pytest.mark.requirement("ST-11")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_a_secret_from_a_file_is_in_no_environment(
    name: str, secret_files: dict[str, str], tmp_path: Path
) -> None:
    port = services.free_port()
    ours = live.environment(f"http://127.0.0.1:{port}", f"file://{tmp_path}/store") | secret_files
    ours |= {
        "DJANGO_SETTINGS_MODULE": "portal.settings.production",
        "ALLOWED_HOSTS": "127.0.0.1",
        "BIND": f"127.0.0.1:{port}",
        "BEAT_SCHEDULE": str(tmp_path / "beat"),
        "EMAIL_URL": "smtp+tls://portal@127.0.0.1:1",
        "ORCID_CLIENT_ID": "APP-1",
    }
    environment = {key: value for key, value in ours.items() if key not in SECRETS}
    log = tmp_path / "log"
    command = [sys.executable, "-m", "portal.processes", name]
    process = services.start(command, log, environment, ROOT)
    try:
        services.wait_until(lambda: _has_become(process, name), f"the {name}: {log.read_text()}")
        for pid in [process.pid, *proc.children(process.pid)]:
            assert proc.umask(pid) == "0077"
            assert "SECRET_KEY_FILE=" in proc.environ(pid)
            assert not [value for value in SECRETS.values() if value in proc.environ(pid)]
    finally:
        services.stop(process)


def _has_become(process: "subprocess.Popen[bytes]", name: str) -> bool:
    """Whether the program of this name runs in its place; of the web server, its workers too."""
    assert process.poll() is None, "it ended"
    command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    if name == "web":
        return b"gunicorn" in command and bool(proc.children(process.pid))
    return b"celery" in command


@pytest.mark.requirement("ST-11")
@pytest.mark.one_database
def test_the_settings_hold_the_outside_secrets_of_files(
    secret_files: dict[str, str], data_dir: Path
) -> None:
    code = (
        "from django.conf import settings; print(settings.EMAIL_HOST_PASSWORD,"
        " settings.SOCIALACCOUNT_PROVIDERS['orcid']['APP']['secret'])"
    )
    given = {"EMAIL_URL": "smtp+tls://portal@127.0.0.1:1", "ORCID_CLIENT_ID": "APP-1"}
    done = install(data_dir, **given, **secret_files).manage("shell", "--no-imports", "-c", code)
    assert (done.stdout, done.stderr) == ("of-the-mail-server of-orcid\n", "")
