"""Signed notes that say what a log is: its checkpoint, in the form that tools for logs read.

c2sp.org/signed-note and c2sp.org/tlog-checkpoint, with Ed25519 keys (RFC 8032). Plain Python
without a database.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from accounts.audit.merkle_log.canonical import moment
from accounts.audit.merkle_log.merkle import HASH_BYTES

#: The kind of signature that stands in a key's id and before its bytes: plain Ed25519.
_ED25519 = b"\x01"
_ID_BYTES = 4
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
    """What is no note, or is signed by another key; the sentence says which."""


@dataclass(frozen=True)
class Verifier:
    """A public key and its name, which also stand in each signature."""

    name: str
    key: Ed25519PublicKey

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys apart; they prove nothing."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self._raw).digest()[:_ID_BYTES]

    @property
    def vkey(self) -> str:
        """`name+id+key`, the spelling in which verifiers take a key."""
        return f"{self.name}+{self.key_id.hex()}+{self.public}"

    @property
    def public(self) -> str:
        """The kind of key and its 32 bytes, in base64."""
        return b64encode(_ED25519 + self._raw).decode()

    @property
    def _raw(self) -> bytes:
        return self.key.public_bytes_raw()

    @classmethod
    def read(cls, vkey: str) -> "Verifier":
        """Raises NoteRefused for another spelling, kind of key or id."""
        found = _VKEY.fullmatch(vkey.strip())
        raw = b64decode(found[3]) if found else b""
        if found is None or raw[:1] != _ED25519:
            raise NoteRefused(f"{vkey!r} is no Ed25519 key of the form name+id+key")
        verifier = cls(found[1], Ed25519PublicKey.from_public_bytes(raw[1:]))
        if verifier.key_id.hex() != found[2]:
            raise NoteRefused(f"{vkey!r} has the id of another key; copy it whole")
        return verifier


@dataclass(frozen=True)
class Note:
    """A checkpoint as it was read. `verify` says whether it is to be believed."""

    #: What is signed, its last newline included.
    text: str
    origin: str
    size: int
    root: bytes
    #: The name, id and bytes of each signature.
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @property
    def time(self) -> datetime | None:
        """When it was signed, as its signer says; None where it does not say so in our form."""
        found = _TIME.search(self.text)
        return datetime.fromisoformat(found[1]) if found else None

    def verify(self, verifier: Verifier) -> None:
        """Raises NoteRefused unless this key has signed it."""
        signed = {(name, key_id): signature for name, key_id, signature in self.signatures}
        signature = signed.get((verifier.name, verifier.key_id))
        if signature is None:
            raise NoteRefused(f"{verifier.vkey} has not signed it")
        try:
            verifier.key.verify(signature, self.text.encode())
        except InvalidSignature as error:
            raise NoteRefused(f"the signature of {verifier.vkey} is wrong") from error


def write(
    origin: str, size: int, root: bytes, at: datetime, key: Ed25519PrivateKey
) -> tuple[str, str]:
    """A checkpoint signed under the name of its origin, and the key that verifies it.

    The time stands in an extension line, which tools for logs pass over. Raises NoteRefused
    for an origin that cannot be a name.
    """
    if not _NAME.fullmatch(origin):
        raise NoteRefused(f"{origin!r} cannot name a log: no blanks and no plus")
    text = f"{origin}\n{size}\n{b64encode(root).decode()}\ntime {moment(at)}\n"
    verifier = Verifier(origin, key.public_key())
    signature = b64encode(verifier.key_id + key.sign(text.encode())).decode()
    return f"{text}\n— {origin} {signature}\n", verifier.vkey


def read(text: str) -> Note:
    """The one note that a text holds. Raises NoteRefused for none and for several."""
    notes = list(find(text))
    if len(notes) != 1:
        raise NoteRefused(f"the text holds {len(notes)} checkpoints, not one")
    return notes[0]


def find(text: str) -> Iterator[Note]:
    """Every note in a text, such as a mail or a file to which heads were appended."""
    for found in _NOTE.finditer(text.replace("\r\n", "\n")):
        root = b64decode(found["root"])
        if len(root) == HASH_BYTES:
            yield Note(
                found["text"],
                found["origin"],
                int(found["size"]),
                root,
                tuple(_signatures(found["signatures"])),
            )


def _signatures(lines: str) -> Iterator[tuple[str, bytes, bytes]]:
    for line in lines.splitlines():
        _, name, encoded = line.split(" ")
        try:
            blob = b64decode(encoded, validate=True)
        except ValueError:
            continue  # another signer's line; what we cannot read, we do not believe
        yield name, blob[:_ID_BYTES], blob[_ID_BYTES:]
