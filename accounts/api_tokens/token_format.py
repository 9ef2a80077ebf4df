"""The format of API tokens. Plain Python, no database.

`wb_`, 40 random base62 characters (238 bits) and six base62 characters of the CRC-32 of the text
before them, so that scanners recognise tokens and typing errors cost no query.
"""

import hashlib
import re
import secrets
import zlib

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(r"wb_[0-9A-Za-z]{46}")


def new() -> str:
    body = "wb_" + "".join(secrets.choice(_ALPHABET) for _ in range(40))
    return body + _checksum(body)


def is_well_formed(text: str) -> bool:
    """True if prefix, length and checksum are right; the token need not exist."""
    return bool(_SHAPE.fullmatch(text)) and _checksum(text[:-6]) == text[-6:]


def digest(text: str) -> str:
    """The SHA-256 in hex, the stored form of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode())
    digits = ""
    for _ in range(6):
        value, rest = divmod(value, 62)
        digits = _ALPHABET[rest] + digits
    return digits
