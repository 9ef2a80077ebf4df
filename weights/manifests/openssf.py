"""The OpenSSF model-signing format, version 1.0.

A signature is a Sigstore bundle around a DSSE envelope whose payload is an in-toto statement:
every file with its SHA-256, and one digest over all of them. The stock verifier,
`model_signing verify key`, hashes a folder and compares. The statement consists of
hashes, so signing reads no weights.

Like the format's own tool, this module excludes git's files (GIT_PATHS): they are not resources,
and are ignored when a folder is compared.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
#: Ignored by the verifier by default.
GIT_PATHS = (".git", ".gitattributes", ".github", ".gitignore")


def statement(
    subject: str,
    files: Mapping[str, str],
    *,
    ignored: Iterable[str] = (),
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """The statement to sign, for a subject's name and its files' SHA-256 by path.

    `ignored` are other paths that the folder may contain; `extra` are additional fields of the
    predicate, which verifiers ignore.
    """
    paths = sorted(path for path in files if PurePosixPath(path).parts[0] not in GIT_PATHS)
    paths.sort(key=lambda path: PurePosixPath(path).parts)
    digest = sha256(b"".join(bytes.fromhex(files[path]) for path in paths))
    content = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": subject, "digest": {"sha256": digest.hexdigest()}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": sorted({*GIT_PATHS, *ignored}),
            },
            "resources": [
                {"name": path, "algorithm": "sha256", "digest": files[path]} for path in paths
            ],
            **(extra or {}),
        },
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def bundle(payload: bytes, key: EllipticCurvePrivateKey) -> str:
    """The signed statement as a JSON document; it identifies the key by the hash of its PEM."""
    signature = key.sign(pre_authentication(payload), ECDSA(SHA256()))
    content = {
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": {
            "publicKey": {"hint": fingerprint(key.public_key())},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }
    return json.dumps(content)


def pre_authentication(payload: bytes) -> bytes:
    """The bytes that DSSE signs: type and payload, each preceded by its length."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def public_pem(key: EllipticCurvePublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def fingerprint(key: EllipticCurvePublicKey) -> str:
    """64 hex digits: the SHA-256 of the key's PEM, by which a bundle identifies its key."""
    return sha256(public_pem(key).encode()).hexdigest()
