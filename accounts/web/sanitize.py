"""Sanitise external text for its destination. Plain Python.

- `storable`, `storable_value`: databases and UTF-8.
- `one_line`: page titles, mail subjects and lists; one line without hidden characters.
- `multiline`: prose, mail bodies, feeds and tracebacks; as `one_line`, with line breaks and tabs.
- `log_line`, `log_value`: the audit trail, the ledger and the log; `one_line` without secrets.
- `form_text`: form answers, before their length is counted.
- `file_name`, `csv_cell`: names of downloads; cells that a spreadsheet does not run.
"""

import re
import unicodedata
from typing import Any

#: PostgreSQL cannot store NUL, and a lone surrogate has no UTF-8 encoding.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
#: Control characters, line and paragraph separators, direction marks, invisible format
#: characters and tags, noncharacters, and lone surrogates.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]"
)
#: Multi-line text may also contain line breaks, tabs, and the marks U+200E, U+200F and U+061C,
#: which right-to-left text needs and which do not reorder surrounding text.
_HIDDEN_MULTILINE = re.compile(
    _HIDDEN.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f").replace("\u061c\u200e\u200f", "")
)
#: API tokens, including other hubs', tokens of checkpoint links, and signatures of file links.
_SECRETS = re.compile(
    r"wb_[0-9A-Za-z]{46}"
    r"|hf_(?:[0-9A-Za-z]{30,}|(?:oauth|jwt)_[\w.-]{30,})"
    r"|(?<![\w-])[\w-]{22}\.[0-9]{10,11}\.[a-z0-9]{1,16}\.[\w-]{43}"
    r"|(?<=[?&]s=)[\w-]{43}"
)
REMOVED = "[secret removed]"
#: The largest integer that JSON represents safely (RFC 8785, section 3.2.2.3).
LARGEST = 2**53 - 1
#: Numbers from this one do not fit into a database column.
_COLUMN_LIMIT = 2**63
#: Maximum depth of a JSON value; deeper levels are left out.
_DEPTH = 8
LEFT_OUT = "[nested too deep]"
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: Direction overrides, which can make a name look like another.
_OVERRIDES = dict.fromkeys(map(ord, "\u202d\u202e"))
#: Characters with a meaning for a file system or shell.
_NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|]+')
#: First characters of a formula in a spreadsheet, with their full-width forms.
_FORMULA = tuple("=+-@＝＋－＠")


# -- databases --------------------------------------------------------------------------------


def is_storable(text: str) -> bool:
    """False for text that no database can store, so that a query would be useless."""
    return not _UNSTORABLE.search(text)


def storable(text: str) -> str:
    """Replace NUL and lone surrogates with U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def storable_value(value: Any) -> Any:
    """Apply `storable` to every text and key in a JSON value; numbers from 2**63 become None."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int | float) and not abs(value) < _COLUMN_LIMIT:
        return None  # also NaN
    if isinstance(value, dict):
        return {storable(str(key)): storable_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [storable_value(inner) for inner in value]
    return value


# -- display ----------------------------------------------------------------------------------


def one_line(text: str) -> str:
    """Return one line, with hidden characters escaped."""
    return _HIDDEN.sub(_escape, text)


def multiline(text: str) -> str:
    """Keep line breaks and tabs, and escape all other hidden characters."""
    return _HIDDEN_MULTILINE.sub(_escape, text.replace("\r\n", "\n"))


def has_hidden(text: str, *, breaks: bool = False) -> bool:
    """True if the text has hidden characters; with `breaks`, line breaks and tabs are allowed."""
    if breaks:
        text = text.replace("\r", "\n")
    return bool((_HIDDEN_MULTILINE if breaks else _HIDDEN).search(text))


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}"


# -- audit trail and log ----------------------------------------------------------------------


def log_line(text: str) -> str:
    """Return one line, with hidden characters escaped and secrets removed."""
    return one_line(without_secrets(text))


def without_secrets(text: str) -> str:
    return _SECRETS.sub(REMOVED, text)


def log_value(value: Any, depth: int = _DEPTH) -> Any:
    """Apply `log_line` to every text and key in a JSON value.

    Numbers that JSON cannot represent become texts, because a row that cannot be hashed is never
    sealed.
    """
    if isinstance(value, str):
        return log_line(value)
    if isinstance(value, dict | list | tuple) and not depth:
        return LEFT_OUT
    if isinstance(value, dict):
        return {log_line(str(key)): log_value(one, depth - 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [log_value(one, depth - 1) for one in value]
    if isinstance(value, int | float) and not -LARGEST <= value <= LARGEST:
        return str(value)  # also NaN, for which every comparison is false
    return value


# -- forms and files --------------------------------------------------------------------------


def form_text(text: str) -> str:
    """Normalise an answer: Unicode NFC, LF line ends, trimmed.

    Removes direction overrides and characters that no database can store.
    """
    text = _UNSTORABLE.sub("", text.replace("\r\n", "\n")).translate(_OVERRIDES)
    return unicodedata.normalize("NFC", text).strip()


def file_name(name: str) -> str:
    """Return a file name without separators and hidden characters, in Unicode NFC."""
    name = _NOT_IN_NAMES.sub(" ", _HIDDEN.sub(" ", name))
    return unicodedata.normalize("NFC", " ".join(name.split())).strip(" .")


def csv_cell(value: object) -> str:
    """Return the value on one line, with an apostrophe before a formula."""
    text = "" if value is None else one_line(str(value))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
