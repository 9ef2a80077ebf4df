"""Splits texts into normalised words, the same for documents and queries."""

import re
import unicodedata

#: Maximum words of a query, and characters of a word.
_MAX_WORDS, _MAX_LENGTH = 20, 100
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Letters and digits in lower case, without accents: `OPT-1.3B` gives `opt`, `1`, `3b`."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    found = _WORD.findall("".join(one for one in plain if not unicodedata.combining(one)))
    return [word[:_MAX_LENGTH] for word in found]


def query_words(text: str) -> list[str]:
    """The first words of a query, without duplicates."""
    return list(dict.fromkeys(words(text[:1000])))[:_MAX_WORDS]
