"""Signed URLs of a CDN in front of the bucket, in CloudFront's format. Plain Python.

Each URL gives access to one blob until it expires (a canned policy), not to a whole revision:
docs/decisions/0004-one-cdn-signature-for-each-file.md.
"""

import json
from base64 import b64encode
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_MINUTE = 60
#: The CDN's base64 replaces three characters that are special in query strings.
_ALPHABET = bytes.maketrans(b"+=/", b"-_~")

SigningKey = EllipticCurvePrivateKey | RSAPrivateKey


class Cdn:
    """Signs URLs of one origin; `key_id` is the CDN's id of the key."""

    def __init__(self, origin: str, key_id: str, key: SigningKey) -> None:
        self._origin = origin
        self._key_id = key_id
        self._key = key
        # Signing costs a hundred times as much as a lookup, and a file's URL is the same for
        # everyone within a minute.
        self._cached_url = lru_cache(maxsize=8192)(self._signed_url)

    @classmethod
    def of_file(cls, origin: str, key_id: str, path: str) -> "Cdn":
        """A signer with the private key in a PEM file, which the settings have validated."""
        key = load_pem_private_key(Path(path).read_bytes(), password=None)
        assert isinstance(key, EllipticCurvePrivateKey | RSAPrivateKey)
        return cls(origin, key_id, key)

    def url(self, path: str, disposition: str, now: int, seconds: int) -> str:
        """The URL of a quoted path, valid until `now + seconds` or up to a minute less.

        The signature covers `disposition`, the name to save under.
        """
        ends = now + seconds
        if seconds > 2 * _MINUTE:
            ends -= ends % _MINUTE
        return self._cached_url(path, disposition, ends)

    def _signed_url(self, path: str, disposition: str, ends: int) -> str:
        saved_as = quote(disposition, safe="-._~")
        resource = f"{self._origin}/{path}?response-content-disposition={saved_as}"
        signature = _base64(self.sign(policy(resource, ends)))
        return (
            f"{resource}&Expires={ends}&Signature={signature}"
            f"&Key-Pair-Id={self._key_id}&Hash-Algorithm=SHA256"
        )

    def sign(self, message: bytes) -> bytes:
        if isinstance(self._key, RSAPrivateKey):
            return self._key.sign(message, PKCS1v15(), SHA256())
        return self._key.sign(message, ECDSA(SHA256()))


def policy(resource: str, ends: int) -> bytes:
    """The policy to sign: a resource, exactly as requested, and its expiry in Unix seconds."""
    condition = {"DateLessThan": {"AWS:EpochTime": ends}}
    statement = {"Statement": [{"Resource": resource, "Condition": condition}]}
    return json.dumps(statement, separators=(",", ":")).encode()


def _base64(raw: bytes) -> str:
    return b64encode(raw).translate(_ALPHABET).decode()
