"""Compressed bytes, which loaders of pickles unpack without being asked: joblib by the first bytes.

Two of the signatures are so short that other files begin with them, so unpacking is tried there,
up to the first byte that comes of it.
"""

import lzma
import re
import zlib
from collections.abc import Callable

_SIGNATURES = (
    (re.compile(rb"\x1f\x8b\x08"), "gzip"),
    (re.compile(rb"BZh[1-9]"), "bzip2"),
    (re.compile(rb"\xfd7zXZ\0"), "xz"),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "Zstandard"),
    (re.compile(rb"\x04\x22\x4d\x18"), "LZ4"),
    (re.compile(rb"ZF\s*[+-]?[0-9A-Fa-f]"), "an old joblib"),
)


def packed_by(head: bytes, *, is_all: bool) -> str:
    """The name of what compressed a file of these first bytes, or of all; empty for none."""
    for signature, name in _SIGNATURES:
        if signature.match(head):
            return name
    if head.startswith(b"\x78") and _unpacks(_zlib, head, is_all=is_all):
        return "zlib"
    if head.startswith(b"\x5d\0") and _unpacks(_lzma, head, is_all=is_all):
        return "LZMA"
    return ""


def _unpacks(unpack: Callable[[bytes], bytes], head: bytes, *, is_all: bool) -> bool:
    """Whether something comes of it, or may do so further on."""
    try:
        return bool(unpack(head)) or not is_all
    except (zlib.error, lzma.LZMAError):
        return False
    except MemoryError:  # it names a window of gigabytes, which another machine may have
        return True


def _zlib(head: bytes) -> bytes:
    return zlib.decompressobj().decompress(head, 1)


def _lzma(head: bytes) -> bytes:
    return lzma.LZMADecompressor().decompress(head, 1)
