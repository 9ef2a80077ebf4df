"""How an API token is spelt: plain Python, no database.

`wb_`, 40 base62 characters of randomness (238 bits) and the base62 CRC-32 of what stands
before it, six characters long, so that scanners find tokens and slips cost no look-up.
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
    """Whether shape and checksum fit; says nothing about whether the token exists."""
    return bool(_SHAPE.fullmatch(text)) and _checksum(text[:-6]) == text[-6:]


def digest(text: str) -> str:
    """What is kept of a token: its SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode())
    digits = ""
    for _ in range(6):
        value, rest = divmod(value, 62)
        digits = _ALPHABET[rest] + digits
    return digits
