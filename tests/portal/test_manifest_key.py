"""The key that signs manifests: a weak or exposed one is refused at start, by name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from django.core.exceptions import ImproperlyConfigured

from portal.settings import data_dir, environment
from tests.support.servers.live import ROOT

pytestmark = pytest.mark.one_database

NAME = "MANIFEST_KEY_FILE"
PLAIN = NoEncryption()


def key_file(
    folder: Path,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    mode: int = 0o600,
    encryption: KeySerializationEncryption = PLAIN,
) -> Path:
    made = key or ec.generate_private_key(ec.SECP256R1())
    path = folder / "manifest.pem"
    path.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    path.chmod(mode)
    return path


def refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(NAME, str(path))
    with pytest.raises(ImproperlyConfigured, match=f"^{NAME}: ") as found:
        environment.manifest_key(NAME)
    return str(found.value)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_a_good_key_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    path = key_file(tmp_path, mode=mode)
    monkeypatch.setenv(NAME, str(path))
    assert environment.manifest_key(NAME) == str(path)


@pytest.mark.parametrize("value", ["", "  "])
def test_a_process_without_a_key_is_no_signer(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(NAME, value)
    assert environment.manifest_key(NAME) == ""


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602])
def test_a_key_that_everybody_may_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    assert "chmod 600" in refused(key_file(tmp_path, mode=mode), monkeypatch)


def test_other_kinds_of_key_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in (
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
    ):
        assert "is not an EC key on P-256" in refused(key_file(tmp_path, key), monkeypatch)


def test_an_invalid_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encrypted = key_file(tmp_path, encryption=BestAvailableEncryption(b"word"))
    assert "does not contain an unencrypted private key" in refused(encrypted, monkeypatch)
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_bytes(b"\x00nonsense")
    assert "does not contain an unencrypted private key" in refused(nonsense, monkeypatch)
    assert "cannot be read" in refused(tmp_path / "missing.pem", monkeypatch)


def test_the_embedded_install_makes_its_key_once_for_itself_alone(tmp_path: Path) -> None:
    path = data_dir.manifest_key_file(tmp_path)
    made = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert data_dir.manifest_key_file(tmp_path).read_bytes() == made


def test_a_start_with_a_bad_key_ends_with_one_line(tmp_path: Path) -> None:
    path = key_file(tmp_path, mode=0o644)
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "check"],
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "portal.settings.embedded",
            "DATA_DIR": str(tmp_path / "install"),
            NAME: str(path),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr.strip().splitlines()[-1].endswith(f"chmod 600 {path}")
