"""Text from outside made fit for a trail and a log: one line, nothing hidden, no secrets.

Plain Python. A row or a line must say what it is about and nothing else: a line break in a
name would forge a second line, a direction mark would show it backwards, and a credential
that somebody put into a field would open what it opens for whoever reads the trail.
"""

import re
from typing import Any

#: Control characters, line and paragraph separators, direction marks, and what no text may hold.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)
#: An API token; the token of a checkpoint link, and the signature of a file link.
_SECRETS = re.compile(
    r"wb_[0-9A-Za-z]{46}"
    r"|(?<![\w-])[\w-]{22}\.[0-9]{10,11}\.[a-z0-9]{1,16}\.[\w-]{43}"
    r"|(?<=[?&]s=)[\w-]{43}"
)
#: In text of several lines these are no harm.
_BREAKS = str.maketrans("", "", "\r\n\t")
REMOVED = "[secret removed]"
#: Beyond it JSON carries no number from one program to another (RFC 8785, section 3.2.2.3).
LARGEST = 2**53 - 1
#: What is nested deeper than this is left out.
_DEPTH = 8
LEFT_OUT = "[nested too deep]"


def line(text: str) -> str:
    """The text in one line: hidden characters as escapes, secrets removed."""
    return _HIDDEN.sub(_escape, _SECRETS.sub(REMOVED, text))


def hides(text: str, *, lines: bool = False) -> bool:
    """Whether it holds what a line never shows; with `lines`, line breaks and tabs may stand."""
    return bool(_HIDDEN.search(text.translate(_BREAKS) if lines else text))


def value(given: Any, depth: int = _DEPTH) -> Any:
    """The same for every text inside a value as JSON has them, names of fields too.

    Numbers that JSON does not carry become texts: a row that cannot be hashed is never sealed.
    """
    if isinstance(given, str):
        return line(given)
    if isinstance(given, dict | list | tuple) and not depth:
        return LEFT_OUT
    if isinstance(given, dict):
        return {line(str(key)): value(one, depth - 1) for key, one in given.items()}
    if isinstance(given, list | tuple):
        return [value(one, depth - 1) for one in given]
    if isinstance(given, int | float) and not -LARGEST <= given <= LARGEST:
        return str(given)  # NaN too, which is within nothing
    return given


def _escape(found: re.Match[str]) -> str:
    known = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return known.get(found[0]) or f"\\u{ord(found[0]):04x}"
