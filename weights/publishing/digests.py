"""Computes all digests that intake needs in one pass over a file."""

import codecs
import hashlib
from typing import NamedTuple

from weights.manifests import listing


class Digest(NamedTuple):
    """Hex digests of one file.

    `git_oid` is empty above `listing.LFS_ABOVE` bytes, where git stores an LFS pointer instead,
    and `md5` is empty, unless requested.
    """

    sha256: str
    git_oid: str
    md5: str
    is_text: bool


class Digester:
    """Incremental hasher of a file of `size` bytes: call `update` for each chunk, then `result`."""

    def __init__(self, size: int, *, md5: bool = False, git: bool = False) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 else None
        small = size <= listing.LFS_ABOVE
        header = listing.git_blob_header(size)
        self._git = hashlib.sha1(header, usedforsecurity=False) if small or git else None
        self._decoder = codecs.getincrementaldecoder("utf-8")() if small else None

    def update(self, chunk: memoryview) -> None:
        self._sha256.update(chunk)
        if self._md5:
            self._md5.update(chunk)
        if self._git:
            self._git.update(chunk)
        if self._decoder:
            self._detect_text(bytes(chunk), final=False)

    def result(self) -> Digest:
        """Call once, after the last byte."""
        if self._decoder:
            self._detect_text(b"", final=True)
        return Digest(
            sha256=self._sha256.hexdigest(),
            git_oid=self._git.hexdigest() if self._git else "",
            md5=self._md5.hexdigest() if self._md5 else "",
            is_text=self._decoder is not None,
        )

    def _detect_text(self, chunk: bytes, *, final: bool) -> None:
        """Text is UTF-8 without NUL; anything else drops the decoder."""
        assert self._decoder is not None
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError:
            self._decoder = None
        else:
            if b"\0" in chunk:
                self._decoder = None
