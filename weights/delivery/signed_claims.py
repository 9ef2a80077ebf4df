"""Signed, expiring claims: plain Python, no database (docs/requirements.md, UR).

Two kinds share one ring of 32-byte keys, of which the newest signs. A *file link* signs a file,
a grant, the credential that it was issued to, and an expiry time. A *checkpoint token* signs a
link record and its expiry time. Both have exactly one encoding, so an altered claim is refused
before any database query.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from dataclasses import dataclass

from weights.storage.hmac_sha256 import HmacSha256

Ring = dict[str, bytes]

_QUERY = re.compile(
    r"e=([1-9][0-9]{9,10})&k=([a-z0-9]{1,16})\.((open|[1-9][0-9]{0,17})"
    r"(?:-t([1-9][0-9]{0,17})|-p([0-9a-f]{16}))?)&s=([A-Za-z0-9_-]{43})",
    re.ASCII,
)
_TOKEN = re.compile(
    r"([A-Za-z0-9_-]{22})\.([1-9][0-9]{9,10})\.([a-z0-9]{1,16})\.([A-Za-z0-9_-]{43})", re.ASCII
)
_FILE_ROUTE = "weights:file-link"
_TOKEN_ROUTE = "weights:checkpoint-link"  # noqa: S105 - a route name


class BadSignature(Exception):
    """The claim is malformed, altered, or signed by a key that is not in the ring."""


@dataclass(frozen=True)
class FileClaim:
    """The signed content of a file link. `right`: see `right_of`; `expires`: Unix time."""

    file_id: int
    sha256: str
    right: str
    expires: int


@dataclass(frozen=True)
class FileQuery:
    """A file link's query, parsed but not verified.

    `k` names the key and, after a dot, the right (see `right_of`), so that the portal need not try
    every grant.
    """

    expires: int
    key_id: str
    right: str
    grant_id: int | None
    token_id: int | None
    password: str
    signature: str


@dataclass(frozen=True)
class CheckpointToken:
    """A verified checkpoint token. `link_id` is 128 random bits."""

    link_id: bytes
    expires: int
    key_id: str

    @property
    def digest(self) -> str:
        """The hash that identifies the link's record."""
        return link_digest(self.link_id)


def right_of(grant_id: int | None, token_id: int | None = None, password: str = "") -> str:
    """The right behind a file link: a grant's id or `open`, and the credential it ends with.

    The credential is `-t` and the id of an API token or, if a person requested the link without
    one, `-p` and 16 hex digits that change with the person's password.
    """
    grant = "open" if grant_id is None else str(grant_id)
    if token_id is not None:
        return f"{grant}-t{token_id}"
    return f"{grant}-p{password}" if password else grant


class FileSigner:
    """Signs the file links of one right; computes their common parts once."""

    def __init__(self, ring: Ring, right: str) -> None:
        key_id = next(iter(ring))
        self._mac = HmacSha256(ring[key_id], _file_head(key_id))
        self._right = f"\n{right}\n"
        self._middle = f"&k={key_id}.{right}&s="

    def query(self, file_id: int, sha256: str, expires: int) -> str:
        """The query string for this file until `expires`, in Unix seconds."""
        rest = f"{file_id}\n{sha256}{self._right}{expires}\n-"
        return f"e={expires}{self._middle}{_b64(self._mac.digest(rest.encode()))}"


def parse_file_query(raw: str) -> FileQuery:
    """Read a raw query of exactly the form that `FileSigner` writes, or raise BadSignature."""
    found = _QUERY.fullmatch(raw)
    if found is None:
        raise BadSignature("not a file link's query")
    expires, key_id, right, grant, token, password, signature = found.groups()
    return FileQuery(
        expires=int(expires),
        key_id=key_id,
        right=right,
        grant_id=None if grant == "open" else int(grant),
        token_id=None if token is None else int(token),
        password=password or "",
        signature=signature,
    )


def check_file(claim: FileClaim, query: FileQuery, ring: Ring) -> None:
    """Raise BadSignature unless `query` was signed for `claim`. Takes constant time."""
    key = ring.get(query.key_id)
    if key is None or not _same(_file_mac(claim, query.key_id, key), query.signature):
        raise BadSignature("the signature does not match")


def sign_token(link_id: bytes, expires: int, ring: Ring) -> str:
    """The token of a checkpoint link: id, expiry and key in the clear, then their HMAC."""
    key_id = next(iter(ring))
    head = f"{_b64(link_id)}.{expires}.{key_id}"
    return f"{head}.{_b64(_token_mac(head, ring[key_id]))}"


def read_token(text: str, ring: Ring) -> CheckpointToken:
    """Verify a token; raises BadSignature. It may have expired: the caller compares `expires`."""
    found = _TOKEN.fullmatch(text)
    if found is None:
        raise BadSignature("not a checkpoint link's token")
    key = ring.get(found[3])
    head = text.rpartition(".")[0]
    if key is None or not _same(_token_mac(head, key), found[4]):
        raise BadSignature("the signature does not match")
    return CheckpointToken(urlsafe_b64decode(found[1] + "=="), int(found[2]), found[3])


def link_digest(link_id: bytes) -> str:
    return hashlib.sha256(link_id).hexdigest()


def _file_mac(claim: FileClaim, key_id: str, key: bytes) -> bytes:
    lines = [str(claim.file_id), claim.sha256, claim.right, str(claim.expires), "-"]
    return hmac.digest(key, _file_head(key_id) + "\n".join(lines).encode(), "sha256")


def _file_head(key_id: str) -> bytes:
    """The signed lines that are the same for all files of a key."""
    return f"1\n{key_id}\n{_FILE_ROUTE}\n".encode()


def _token_mac(head: str, key: bytes) -> bytes:
    return hmac.digest(key, f"1\n{_TOKEN_ROUTE}\n{head}".encode(), "sha256")


#: From base64 to its URL-safe alphabet; padding is dropped.
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _b64(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).translate(_URL_SAFE, b"=").decode()


def _same(mac: bytes, signature: str) -> bool:
    """Compare as text, because several unpadded base64 texts decode to the same bytes."""
    return hmac.compare_digest(_b64(mac), signature)
