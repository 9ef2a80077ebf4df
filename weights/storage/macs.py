"""HMAC-SHA256 with one key, many times over: plain Python.

The library's one-shot call hashes the key anew each time, which costs more than a short
message does. Here the two hashes that a key begins with (RFC 2104) are kept and copied.
"""

import hashlib

_BLOCK = 64
_INNER = bytes(number ^ 0x36 for number in range(256))
_OUTER = bytes(number ^ 0x5C for number in range(256))


class Mac:
    """A key, and the `head` with which all of its messages begin."""

    def __init__(self, key: bytes, head: bytes = b"") -> None:
        if len(key) > _BLOCK:
            key = hashlib.sha256(key).digest()
        block = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER) + head)
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def digest(self, message: bytes) -> bytes:
        """The 32 bytes that `hmac.digest(key, head + message, "sha256")` gives."""
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()
