"""The key that signs heads, and their destinations: wrong settings are refused at start."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.exceptions import ImproperlyConfigured

from portal.settings import data_dir, environment
from tests.accounts.audit.merkle_log import keys

pytestmark = pytest.mark.one_database

NAME = "AUDIT_KEY_FILE"


def test_a_good_key_is_taken_and_none_is_no_signer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = keys.write(tmp_path)
    monkeypatch.setenv(NAME, path)
    assert environment.audit_key(NAME) == path
    monkeypatch.setenv(NAME, " ")
    assert environment.audit_key(NAME) == ""


def test_another_kind_of_key_and_one_that_everybody_may_read_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(keys.write(tmp_path))
    monkeypatch.setenv(NAME, str(path))
    path.chmod(0o644)
    with pytest.raises(ImproperlyConfigured, match=f"^{NAME}: .*chmod 600"):
        environment.audit_key(NAME)
    made = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    with pytest.raises(ImproperlyConfigured, match="no Ed25519 key"):
        environment.audit_key(NAME)


def test_the_embedded_install_makes_its_key_once_for_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(NAME, raising=False)
    path = data_dir.audit_key_file(tmp_path)
    made = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert data_dir.audit_key_file(tmp_path).read_bytes() == made
    assert environment.audit_key(NAME, str(path)) == str(path)


@pytest.mark.parametrize("value", ["", "file:///mnt/heads.txt", "s3://bucket/heads"])
def test_places_for_copies(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_HEAD_COPY", value)
    assert environment.head_copy("AUDIT_HEAD_COPY") == value


@pytest.mark.parametrize("value", ["/mnt/heads.txt", "file://heads", "file:///mnt/", "s3://b"])
def test_places_that_are_none_are_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_HEAD_COPY", value)
    with pytest.raises(ImproperlyConfigured, match=r"^AUDIT_HEAD_COPY: "):
        environment.head_copy("AUDIT_HEAD_COPY")


def test_recipients_are_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_HEAD_RECIPIENTS", "a@example.org, b@example.org")
    assert environment.addresses("AUDIT_HEAD_RECIPIENTS") == ["a@example.org", "b@example.org"]
    monkeypatch.setenv("AUDIT_HEAD_RECIPIENTS", "a@example.org, somebody")
    with pytest.raises(ImproperlyConfigured, match="'somebody' is not a mail address"):
        environment.addresses("AUDIT_HEAD_RECIPIENTS")
