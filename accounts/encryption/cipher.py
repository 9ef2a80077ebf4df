"""Encrypts and decrypts texts with ENCRYPTION_KEYS, which are not in the database.

Uses Fernet (AES-128-CBC with HMAC-SHA-256, https://github.com/fernet/spec). The first key encrypts,
all keys decrypt. Texts stored before encryption existed are returned unchanged.
"""

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from accounts.errors import Unreadable

#: Every Fernet token begins with this: version 0x80, then a time before 2106. No plain secret
#: does: seeds are base32 capitals or hexadecimal digits, links begin with http, JSON with {.
_PREFIX = "gAAAAA"


def is_encrypted(text: str) -> bool:
    return text.startswith(_PREFIX)


def encrypt(text: str) -> str:
    """Return the text as a Fernet token, in ASCII: a third longer plus a hundred characters."""
    return _box().encrypt(text.encode()).decode()


def decrypt(text: str) -> str:
    """Return the plain text. Raises Unreadable if no key of this process decrypts it."""
    if not is_encrypted(text):
        return text
    try:
        return _box().decrypt(text).decode()
    except InvalidToken as error:
        raise Unreadable(
            "this was encrypted with a key that ENCRYPTION_KEYS does not contain"
        ) from error


def is_current(text: str) -> bool:
    """True if the newest key encrypted the text."""
    newest = next(iter(settings.ENCRYPTION_KEYS.values()))
    try:
        _box_of((newest,)).decrypt(text)
    except InvalidToken:
        return False
    return True


def _box() -> MultiFernet:
    return _box_of(tuple(settings.ENCRYPTION_KEYS.values()))


@lru_cache(maxsize=4)
def _box_of(keys: tuple[bytes, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
