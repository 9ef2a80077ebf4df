"""Sentences and file names as header values: plain Python, no database."""

import re
import unicodedata
from functools import lru_cache
from urllib.parse import quote

_PLAIN = {"…": "...", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"'}
_TABLE = str.maketrans(_PLAIN)
_SAFE = "".join(chr(code) for code in range(0x20, 0x7F))


def header_text(sentence: str) -> str:
    """`sentence` in printable ASCII on one line; other letters are percent-encoded."""
    line = re.sub(r"[\x00-\x1f\x7f]+", " ", sentence.translate(_TABLE)).strip()
    return quote(unicodedata.normalize("NFC", line), safe=_SAFE, errors="replace")


@lru_cache(maxsize=4096)
def disposition(name: str) -> str:
    """`Content-Disposition` for a download (RFC 6266), with a plain name for old clients."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in name)
    value = f'attachment; filename="{plain}"'
    return value if plain == name else f"{value}; filename*=UTF-8''{quote(name, safe='')}"
