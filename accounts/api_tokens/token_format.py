"""The format of API tokens. Plain Python, no database.

`hf_wb`, 40 random base62 characters (238 bits) and six base62 characters of a CRC-32, so that
scanners recognise tokens and mistyped ones need no query. Several clients of the Hub refuse tokens
that do not begin with `hf_`; a Hugging Face token has 34 characters after it, and ours 48.

Release 0.1.0 issued `wb_` and the same 46 characters. Checksum and digest are computed from that
spelling, so that both spellings are the same token.
"""

import hashlib
import re
import secrets
import zlib

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(r"(?:hf_wb|wb_)([0-9A-Za-z]{46})")
_HUGGING_FACE = re.compile(r"hf_[0-9A-Za-z]{34}")


def new() -> str:
    body = "".join(secrets.choice(_ALPHABET) for _ in range(40))
    return f"hf_wb{body}{_checksum(body)}"


def is_well_formed(text: str) -> bool:
    """True if prefix, length and checksum are correct; the token need not exist."""
    match = _SHAPE.fullmatch(text)
    return match is not None and _checksum(match[1][:40]) == match[1][40:]


def is_of_hugging_face(text: str) -> bool:
    """True for tokens in the format of huggingface.co."""
    return bool(_HUGGING_FACE.fullmatch(text))


def digest(text: str) -> str:
    """Return the SHA-256, in hex, of the spelling with `wb_`; this is stored."""
    return hashlib.sha256(f"wb_{text[-46:]}".encode()).hexdigest()


def _checksum(body: str) -> str:
    value = zlib.crc32(f"wb_{body}".encode())
    digits = ""
    for _ in range(6):
        value, rest = divmod(value, 62)
        digits = _ALPHABET[rest] + digits
    return digits
