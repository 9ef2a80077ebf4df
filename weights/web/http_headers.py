"""Sentences and file names as header values: plain Python, no database."""

import unicodedata
from functools import lru_cache
from urllib.parse import quote

from accounts.web.sanitize import one_line

_PLAIN = {"…": "...", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"'}
_TABLE = str.maketrans(_PLAIN)
_SAFE = "".join(chr(code) for code in range(0x20, 0x7F))


#: Characters of a sentence in a header: web servers hold the head of an answer in 4 KiB.
MOST = 1000


def header_text(sentence: str) -> str:
    """`sentence` in printable ASCII on one line; other letters are percent-encoded.

    Of one that would be longer than MOST the middle is left out: a name that somebody sent
    stands there, and after it what to do.
    """
    line = one_line(" ".join(sentence.translate(_TABLE).split()))
    line = unicodedata.normalize("NFC", line)
    text = _encoded(line)
    if len(text) <= MOST:
        return text
    half = MOST // 2 - 2
    return f"{_start(line, half)}...{_start(line[::-1], half, backwards=True)}"


def _encoded(text: str) -> str:
    return quote(text, safe=_SAFE, errors="replace")


def _start(line: str, most: int, *, backwards: bool = False) -> str:
    """As many whole characters as take `most` when they are encoded."""
    kept: list[str] = []
    for piece in map(_encoded, line):
        most -= len(piece)
        if most < 0:
            break
        kept.append(piece)
    return "".join(reversed(kept) if backwards else kept)


@lru_cache(maxsize=4096)
def disposition(name: str) -> str:
    """`Content-Disposition` for a download (RFC 6266), with a plain name for old clients."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in name)
    value = f'attachment; filename="{plain}"'
    if plain == name:
        return value
    return f"{value}; filename*=UTF-8''{quote(name, safe='', errors='replace')}"
