"""Header values made from sentences and file names."""

import unicodedata
from functools import lru_cache
from itertools import accumulate
from urllib.parse import quote

from accounts.web.sanitize import one_line

_ASCII_PUNCTUATION = str.maketrans(
    {"…": "...", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"'}
)
_SAFE = "".join(chr(code) for code in range(0x20, 0x7F))

#: Maximum characters of a header value: web servers buffer response headers in 4 KiB.
MAX_LENGTH = 1000


def header_text(sentence: str) -> str:
    """Returns `sentence` as one line of printable ASCII; other letters are percent-encoded.

    Beyond MAX_LENGTH the middle is cut out, since messages begin with the name that the client
    sent and end with the next step.
    """
    line = one_line(" ".join(sentence.translate(_ASCII_PUNCTUATION).split()))
    characters = [
        quote(letter, safe=_SAFE, errors="replace") for letter in unicodedata.normalize("NFC", line)
    ]
    if sum(map(len, characters)) <= MAX_LENGTH:
        return "".join(characters)
    half = MAX_LENGTH // 2 - 2
    end = _prefix(characters[::-1], half)[::-1]
    return "".join([*_prefix(characters, half), "...", *end])


def _prefix(characters: list[str], limit: int) -> list[str]:
    """The first encoded characters that take at most `limit` bytes together."""
    return characters[: sum(length <= limit for length in accumulate(map(len, characters)))]


@lru_cache(maxsize=4096)
def disposition(name: str) -> str:
    """`Content-Disposition` for a download (RFC 6266), with an ASCII name for old clients.

    Django's `content_disposition_header` has no such fallback.
    """
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in name)
    value = f'attachment; filename="{plain}"'
    if plain == name:
        return value
    return f"{value}; filename*=UTF-8''{quote(name, safe='', errors='replace')}"
