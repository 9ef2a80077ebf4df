"""Checkpoints as signed notes (c2sp.org/tlog-checkpoint, c2sp.org/signed-note).

Keys are Ed25519 (RFC 8032). This module needs no database.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from accounts.audit.merkle_log.canonical import timestamp
from accounts.audit.merkle_log.merkle import HASH_BYTES

#: The signature type byte of Ed25519 in verifier keys and key ids.
_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_NAME = re.compile(r"[^\s+]{1,300}")
_VKEY = re.compile(r"([^\s+]{1,300})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})")
_TIME = re.compile(r"^time (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)$", re.MULTILINE)
_NOTE = re.compile(
    r"""^(?P<text>(?P<origin>\S[^\n]*)\n
         (?P<size>0|[1-9][0-9]{0,18})\n
         (?P<root>[A-Za-z0-9+/]{43}=)\n
         (?:[^\n]+\n)*)
        \n
        (?P<signatures>(?:—\ \S+\ [A-Za-z0-9+/]+=*(?:\n|\Z))+)""",
    re.MULTILINE | re.VERBOSE,
)


class NoteRefused(ValueError):
    """A malformed note or verifier key, or a missing or wrong signature."""


@dataclass(frozen=True)
class Verifier:
    """A public key and its name."""

    name: str
    key: Ed25519PublicKey

    @property
    def key_id(self) -> bytes:
        """Four bytes that distinguish keys, but are no secure fingerprint."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self._raw).digest()[:_KEY_ID_BYTES]

    @property
    def vkey(self) -> str:
        """The verifier key, `name+id+key`."""
        return f"{self.name}+{self.key_id.hex()}+{self.public}"

    @property
    def public(self) -> str:
        """The last part of the verifier key: a type byte and 32 key bytes, in base64."""
        return b64encode(_ED25519 + self._raw).decode()

    @property
    def _raw(self) -> bytes:
        return self.key.public_bytes_raw()

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        """Parse a verifier key. Raises NoteRefused for a wrong format, key type or id."""
        match = _VKEY.fullmatch(vkey.strip())
        raw = b64decode(match[3]) if match else b""
        if match is None or raw[:1] != _ED25519:
            raise NoteRefused(f"{vkey!r} is no Ed25519 key of the form name+id+key")
        verifier = cls(match[1], Ed25519PublicKey.from_public_bytes(raw[1:]))
        if verifier.key_id.hex() != match[2]:
            raise NoteRefused(f"{vkey!r} has the id of another key; copy the whole key")
        return verifier


@dataclass(frozen=True)
class Note:
    """A parsed checkpoint. Only `verify` checks its signature."""

    #: The signed text, including its final newline.
    text: str
    origin: str
    size: int
    root: bytes
    #: Name, key id and signature bytes of each signature.
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @property
    def time(self) -> datetime | None:
        """The signing time from the extension line `time …`, as claimed by the signer."""
        match = _TIME.search(self.text)
        return datetime.fromisoformat(match[1]) if match else None

    def verify(self, verifier: Verifier) -> None:
        """Raise NoteRefused unless the note has a valid signature by this key."""
        signatures = {(name, key_id): signature for name, key_id, signature in self.signatures}
        signature = signatures.get((verifier.name, verifier.key_id))
        if signature is None:
            raise NoteRefused(f"{verifier.vkey} has not signed it")
        try:
            verifier.key.verify(signature, self.text.encode())
        except InvalidSignature as error:
            raise NoteRefused(f"the signature of {verifier.vkey} is wrong") from error


def sign(
    origin: str, size: int, root: bytes, at: datetime, key: Ed25519PrivateKey
) -> tuple[str, str]:
    """Sign a checkpoint under the name of its origin. Returns the note and the verifier key.

    The signing time is an extension line, which other tools ignore. Raises NoteRefused for an
    origin that contains spaces or a plus.
    """
    if not _NAME.fullmatch(origin):
        raise NoteRefused(f"{origin!r} cannot name a log: no spaces and no plus")
    text = f"{origin}\n{size}\n{b64encode(root).decode()}\ntime {timestamp(at)}\n"
    verifier = Verifier(origin, key.public_key())
    signature = b64encode(verifier.key_id + key.sign(text.encode())).decode()
    return f"{text}\n— {origin} {signature}\n", verifier.vkey


def parse(text: str) -> Note:
    """Parse the only note in a text. Raises NoteRefused if there is none or more than one."""
    notes = list(find(text))
    if len(notes) != 1:
        raise NoteRefused(f"the text holds {len(notes)} checkpoints, not one")
    return notes[0]


def find(text: str) -> Iterator[Note]:
    """Yield every note in a text, such as a mail or a file of appended heads."""
    for match in _NOTE.finditer(text.replace("\r\n", "\n")):
        root = b64decode(match["root"])
        if len(root) == HASH_BYTES:
            yield Note(
                match["text"],
                match["origin"],
                int(match["size"]),
                root,
                tuple(_signatures(match["signatures"])),
            )


def _signatures(lines: str) -> Iterator[tuple[str, bytes, bytes]]:
    for line in lines.splitlines():
        _, name, encoded = line.split(" ")
        try:
            blob = b64decode(encoded, validate=True)
        except ValueError:
            continue  # c2sp.org/signed-note: verifiers ignore signatures that they cannot use
        yield name, blob[:_KEY_ID_BYTES], blob[_KEY_ID_BYTES:]
