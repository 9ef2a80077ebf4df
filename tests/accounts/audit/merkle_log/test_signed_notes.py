"""Heads as signed notes: others can verify ours, and unsigned notes are not trusted."""

import base64
import subprocess
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sigstore._internal.rekor.checkpoint import SignedCheckpoint
from sigstore._internal.trust import Keyring, RekorKeyring
from sigstore._utils import KeyID
from sigstore.errors import VerificationError
from sigstore_models.common.v1 import PublicKey, PublicKeyDetails

from accounts.audit.merkle_log import signed_notes
from accounts.audit.merkle_log.signed_notes import NoteRefused, Verifier

pytestmark = pytest.mark.one_database

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ORIGIN = "weights.example.org/transparency/audit"
ROOT = sha256(b"root").digest()
AT = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)


def note(size: int = 992, key: Ed25519PrivateKey = KEY, origin: str = ORIGIN) -> tuple[str, str]:
    return signed_notes.sign(origin, size, ROOT, AT, key)


def spki(vkey: str) -> bytes:
    """The key of a vkey as tools of other kinds take it (RFC 8410)."""
    raw = base64.b64decode(vkey.split("+", 2)[2])[1:]
    key = Ed25519PublicKey.from_public_bytes(raw)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_a_head_has_the_lines_of_a_checkpoint() -> None:
    text, vkey = note()
    head, _, signature = text.partition("\n\n")
    assert head.split("\n") == [
        *(ORIGIN, "992", base64.b64encode(ROOT).decode()),
        "time 2026-11-26T09:30:00.000000Z",
    ]
    assert signature.startswith(f"— {ORIGIN} ")
    assert signature.endswith("\n")
    public = KEY.public_key().public_bytes_raw()
    key_id = sha256(ORIGIN.encode() + b"\x0a\x01" + public).digest()[:4]
    assert base64.b64decode(signature.split(" ")[2])[:4] == key_id
    assert vkey == f"{ORIGIN}+{key_id.hex()}+{base64.b64encode(b'%c' % 1 + public).decode()}"


def test_the_verifier_of_another_log_reads_and_verifies_it() -> None:
    """Sigstore's own code for Rekor's checkpoints, which knows nothing of ours."""
    text, vkey = note()
    key = PublicKey(
        raw_bytes=base64.b64encode(spki(vkey)), key_details=PublicKeyDetails.PKIX_ED25519
    )
    ring, key_id = RekorKeyring(Keyring([key])), KeyID(bytes.fromhex(vkey.split("+")[1]))
    read = SignedCheckpoint.from_text(text)
    assert read.checkpoint.origin == ORIGIN
    assert read.checkpoint.log_size == 992
    assert read.checkpoint.log_hash == ROOT.hex()
    read.signed_note.verify(ring, key_id)
    with pytest.raises(VerificationError):
        SignedCheckpoint.from_text(text.replace("\n992\n", "\n993\n")).signed_note.verify(
            ring, key_id
        )


@pytest.mark.needs("openssl")
def test_openssl_verifies_the_bytes_before_the_blank_line(tmp_path: Path) -> None:
    text, vkey = note()
    head, _, signature = text.partition("\n\n")
    for name, content in {
        "key": spki(vkey),
        "head": head.encode() + b"\n",
        "signature": base64.b64decode(signature.split(" ")[2])[4:],
    }.items():
        (tmp_path / name).write_bytes(content)
    command = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in head -sigfile"
    done = subprocess.run(
        [*command.split(), "signature"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_signature_binds_every_line() -> None:
    text, vkey = note()
    verifier = Verifier.parse(vkey)
    signed_notes.parse(text).verify(verifier)
    other = base64.b64encode(sha256(b"another").digest()).decode()
    for old, new in {
        "\n992\n": "\n991\n",
        base64.b64encode(ROOT).decode(): other,
        "T09:30": "T09:31",
        f"{ORIGIN}\n9": "evil.example.org/transparency/audit\n9",
    }.items():
        with pytest.raises(NoteRefused, match="wrong"):
            signed_notes.parse(text.replace(old, new)).verify(verifier)


def test_another_key_and_another_name_are_refused() -> None:
    text, _ = note()
    for key, origin in ((Ed25519PrivateKey.generate(), ORIGIN), (KEY, "another.example.org")):
        _, vkey = note(key=key, origin=origin)
        with pytest.raises(NoteRefused, match="has not signed it"):
            signed_notes.parse(text).verify(Verifier.parse(vkey))


def test_a_cosignature_beside_ours_does_no_harm() -> None:
    text, vkey = note()
    cosigned = f"{text}— witness.example.org {base64.b64encode(bytes(80)).decode()}\n"
    signed_notes.parse(cosigned).verify(Verifier.parse(vkey))


def test_heads_are_found_in_a_mail_and_in_a_file_of_many() -> None:
    first, vkey = note(1)
    second, _ = note(2)
    mail = f"From: a@example.org\r\n\r\nKeep this.\r\n\r\n{first}\n{vkey}\n\nWeighbridge\n"
    file = f"{first}\n{second[:60]}\n\n{second}"
    assert [one.size for one in signed_notes.find(mail)] == [1]
    assert [one.size for one in signed_notes.find(file)] == [1, 2]
    for one in [*signed_notes.find(mail), *signed_notes.find(file)]:
        one.verify(Verifier.parse(vkey))
    with pytest.raises(NoteRefused, match="holds 2 checkpoints"):
        signed_notes.parse(file)


@pytest.mark.parametrize(
    "vkey",
    [
        *("", "name", "name+00000000", "na me+00000000+AQ==", "name+0000000g+" + "A" * 44),
        "name+00000000+" + base64.b64encode(b"\x01" + bytes(32)).decode(),
        "name+00000000+" + base64.b64encode(b"\x02" + bytes(32)).decode(),
    ],
)
def test_an_invalid_key_is_refused(vkey: str) -> None:
    with pytest.raises(NoteRefused):
        Verifier.parse(vkey)


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "a\nb"])
def test_an_origin_that_cannot_be_a_name_is_refused(origin: str) -> None:
    with pytest.raises(NoteRefused, match="cannot name a log"):
        note(origin=origin)
