"""Detects compressed files, which some pickle loaders, such as joblib, decompress.

The signatures of zlib and LZMA are too short to be reliable, so their decompression is attempted
up to the first byte of output.
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


def compression_of(head: bytes, *, is_all: bool) -> str:
    """The name of the compression format, or "". `is_all`: `head` is the whole file."""
    for signature, name in _SIGNATURES:
        if signature.match(head):
            return name
    if head.startswith(b"\x78") and _decompresses(_zlib, head, is_all=is_all):
        return "zlib"
    if head.startswith(b"\x5d\0") and _decompresses(_lzma, head, is_all=is_all):
        return "LZMA"
    return ""


def _decompresses(decompress: Callable[[bytes], bytes], head: bytes, *, is_all: bool) -> bool:
    """True if decompression yields a byte, or might with more input."""
    try:
        return bool(decompress(head)) or not is_all
    except (zlib.error, lzma.LZMAError):
        return False
    except MemoryError:  # the window is gigabytes large; another machine may have the memory
        return True


def _zlib(head: bytes) -> bytes:
    return zlib.decompressobj().decompress(head, 1)


def _lzma(head: bytes) -> bytes:
    return lzma.LZMADecompressor().decompress(head, 1)
