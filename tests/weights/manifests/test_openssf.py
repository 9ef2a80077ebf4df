"""The model-signing format, checked by other people's libraries and programs."""

import base64
import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from model_signing._signing.sign_ec_key import Verifier
from model_signing._signing.sign_sigstore_pb import Signature
from model_signing._signing.signing import dsse_payload_to_manifest

from tests.support import tools
from weights.manifests import openssf

pytestmark = pytest.mark.one_database

FILES = {"model.safetensors": "ab" * 32, "a/b.json": "01" * 32, "a.json": "02" * 32}


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def written(folder: Path, key: ec.EllipticCurvePrivateKey, payload: bytes) -> tuple[Path, Path]:
    """Bundle and public key as files."""
    signature, public = folder / "model.sig", folder / "key.pem"
    signature.write_text(openssf.bundle(payload, key))
    public.write_text(openssf.public_pem(key.public_key()))
    return signature, public


def test_a_statement_is_always_the_same_text() -> None:
    told = openssf.statement("acme/model@1", FILES, ignored=["model.sig"], extra={"extra": 1})
    assert json.loads(told) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {
                "name": "acme/model@1",
                # printf '01…02…ab…' | xxd -r -p | sha256sum, in the order of the resources
                "digest": {
                    "sha256": "a57fbae31327bcb523767b8dc1184ea3a62c63a4bbdffe52d58a19f82bca279b"
                },
            }
        ],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [".git", ".gitattributes", ".github", ".gitignore", "model.sig"],
            },
            "resources": [
                {"name": "a/b.json", "algorithm": "sha256", "digest": "01" * 32},
                {"name": "a.json", "algorithm": "sha256", "digest": "02" * 32},
                {"name": "model.safetensors", "algorithm": "sha256", "digest": "ab" * 32},
            ],
            "extra": 1,
        },
    }
    assert told == openssf.statement(
        "acme/model@1", dict(reversed(FILES.items())), ignored=["model.sig"], extra={"extra": 1}
    )


def test_git_files_are_left_out_as_the_stock_tool_does() -> None:
    told = json.loads(openssf.statement("x", FILES | {".gitattributes": "03" * 32}))
    assert [one["name"] for one in told["predicate"]["resources"]] == [
        "a/b.json",
        "a.json",
        "model.safetensors",
    ]


_PATHS = st.text(
    st.characters(blacklist_categories=["Cc", "Cs"], blacklist_characters="/\\"),
    min_size=1,
    max_size=12,
).filter(lambda name: name not in {".", ".."})


@given(st.dictionaries(_PATHS, st.binary(min_size=32, max_size=32).map(bytes.hex), max_size=8))
def test_the_stock_library_reads_every_statement_as_it_was_meant(files: dict[str, str]) -> None:
    read = dsse_payload_to_manifest(json.loads(openssf.statement("x", files)))
    found = {one.identifier: one.digest.digest_hex for one in read.resource_descriptors()}
    assert found == {path: one for path, one in files.items() if path not in openssf.GIT_PATHS}


def test_the_stock_verifier_takes_the_bundle_with_this_key_alone(
    key: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    signature, public = written(tmp_path, key, openssf.statement("x", FILES))
    read = Verifier(public).verify(Signature.read(signature))
    assert {one.identifier for one in read.resource_descriptors()} == set(FILES)
    other = tmp_path / "other.pem"
    other.write_text(openssf.public_pem(ec.generate_private_key(ec.SECP256R1()).public_key()))
    with pytest.raises(ValueError, match="Key mismatch"):
        Verifier(other).verify(Signature.read(signature))


@pytest.mark.needs("openssl")
def test_openssl_alone_can_check_a_signature(
    key: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    signature, public = written(tmp_path, key, openssf.statement("x", FILES))
    envelope = json.loads(signature.read_text())["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"])
    signed, raw = tmp_path / "signed", tmp_path / "raw"
    signed.write_bytes(b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(payload), payload))
    raw.write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    command = [str(tools.find("openssl")), "dgst", "-sha256", "-verify", str(public)]
    good = subprocess.run([*command, "-signature", raw, signed], capture_output=True, check=False)
    assert b"Verified OK" in good.stdout
    signed.write_bytes(signed.read_bytes().replace(b"model.safetensors", b"model.safetensorz"))
    bad = subprocess.run([*command, "-signature", raw, signed], capture_output=True, check=False)
    assert bad.returncode != 0
