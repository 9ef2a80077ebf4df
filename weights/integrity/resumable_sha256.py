"""SHA-256 whose state can be put away and taken up again by another process.

`hashlib` keeps its state to itself. The library behind it, OpenSSL's libcrypto, has functions
whose state is plain memory (SHA256_CTX: eight words, a count, a block). They are the same code
at the same speed. Where the library or this layout is not found, `begin` says so and a reader
starts over instead of resuming.
"""

import _hashlib
import ctypes
import ctypes.util
import hashlib
import platform
import struct
import sys
from functools import cache

#: Bytes of SHA256_CTX: h[8], Nl, Nh, data[16], num, md_len, each of four bytes.
STATE_SIZE = 112
_ROOM = 512


def layout() -> str:
    """What a saved state is bound to; empty where states cannot be saved."""
    library = _library()
    if library is None:
        return ""
    return f"{platform.machine()} {sys.byteorder} {struct.calcsize('P')} {_version(library)}"


class ResumableSha256:
    """Like `hashlib.sha256()`, from the start or from a state that `save` gave."""

    def __init__(self, state: bytes | None = None) -> None:
        library = _library()
        if library is None:
            raise RuntimeError("no libcrypto whose SHA-256 can be saved")
        self._library = library
        self._context = ctypes.create_string_buffer(_ROOM)
        if state is None:
            library.SHA256_Init(self._context)
        else:
            if len(state) != STATE_SIZE:
                raise ValueError(f"a state has {STATE_SIZE} bytes, not {len(state)}")
            ctypes.memmove(self._context, state, STATE_SIZE)

    def update(self, block: memoryview) -> None:
        """Take in a writable block; other threads run meanwhile."""
        if len(block):
            first = ctypes.c_char.from_buffer(block)
            self._library.SHA256_Update(self._context, ctypes.byref(first), len(block))

    def save(self) -> bytes:
        """The state after all that was taken in."""
        return self._context.raw[:STATE_SIZE]

    def hexdigest(self) -> str:
        """The digest of all that was taken in; more may follow."""
        last = ctypes.create_string_buffer(self._context.raw, _ROOM)
        digest = ctypes.create_string_buffer(32)
        self._library.SHA256_Final(digest, last)
        return digest.raw.hex()


@cache
def _library() -> ctypes.CDLL | None:
    """The libcrypto that `hashlib` itself uses, else one of the system; None for none that fits."""
    names = (getattr(_hashlib, "__file__", None), "libcrypto.so.3", "libcrypto.so.1.1")
    for name in names:
        try:
            found = ctypes.CDLL(name) if name else None
            if found is not None and _fits(found):
                return found
        except (OSError, AttributeError):
            continue
    return None


def _fits(library: ctypes.CDLL) -> bool:
    """Whether a digest broken off in mid-block and taken up elsewhere comes out right.

    Nothing may be written behind the state's own bytes either.
    """
    for function, kinds in (
        ("SHA256_Init", [ctypes.c_void_p]),
        ("SHA256_Update", [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]),
        ("SHA256_Final", [ctypes.c_void_p, ctypes.c_void_p]),
    ):
        getattr(library, function).argtypes = kinds
    text = bytes(range(251)) * 3
    first = ctypes.create_string_buffer(b"\xa5" * _ROOM, _ROOM)
    library.SHA256_Init(first)
    library.SHA256_Update(first, text[:500], 500)
    if first.raw[STATE_SIZE:] != b"\xa5" * (_ROOM - STATE_SIZE):
        return False
    second = ctypes.create_string_buffer(first.raw[:STATE_SIZE], _ROOM)
    library.SHA256_Update(second, text[500:], len(text) - 500)
    digest = ctypes.create_string_buffer(32)
    library.SHA256_Final(digest, second)
    return digest.raw == hashlib.sha256(text).digest()


def _version(library: ctypes.CDLL) -> str:
    try:
        library.OpenSSL_version.restype = ctypes.c_char_p
        return str(library.OpenSSL_version(0).decode())
    except AttributeError:
        return "unknown"
