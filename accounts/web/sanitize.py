"""Sanitise text from outside for the place it goes to. Plain Python.

- `storable`, `storable_value`: a database and UTF-8 can hold it.
- `one_line`: a page, a mail's subject, a list: in one line, nothing hidden.
- `lines`: prose, a mail's body, a feed, a traceback: the same, but line breaks and tabs stay.
- `log_line`, `log_value`: the audit trail, the ledger and the log: `one_line` without secrets.
- `form_text`: an answer as it is counted and kept.
- `file_name`, `csv_cell`: a download's name, a cell that a spreadsheet does not run.
"""

import re
import unicodedata
from typing import Any

#: PostgreSQL keeps no NUL, and half a surrogate pair has no UTF-8.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
#: Control characters, line and paragraph separators, direction marks, invisible format
#: characters and tags, noncharacters, and halves of surrogate pairs.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]"
)
#: In text of several lines breaks and tabs may stand, and the marks U+200E, U+200F and U+061C,
#: which text from right to left needs and which turn nothing around them.
_HIDDEN_IN_LINES = re.compile(
    _HIDDEN.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f").replace("\u061c\u200e\u200f", "")
)
#: An API token; the token of a checkpoint link, and the signature of a file link.
_SECRETS = re.compile(
    r"wb_[0-9A-Za-z]{46}"
    r"|(?<![\w-])[\w-]{22}\.[0-9]{10,11}\.[a-z0-9]{1,16}\.[\w-]{43}"
    r"|(?<=[?&]s=)[\w-]{43}"
)
REMOVED = "[secret removed]"
#: Beyond it JSON carries no number from one program to another (RFC 8785, section 3.2.2.3).
LARGEST = 2**53 - 1
#: A number that no column holds.
_ENDLESS = 2**63
#: What is nested deeper than this is left out.
_DEPTH = 8
LEFT_OUT = "[nested too deep]"
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: Marks that make a line read against its letters, so that a name poses as another.
_OVERRIDES = dict.fromkeys(map(ord, "\u202d\u202e"))
#: What some file system or shell reads as more than a letter of a name.
_NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|]+')
#: A cell that begins so is taken for a formula by a spreadsheet, in full width too.
_FORMULA = tuple("=+-@＝＋－＠")


# -- what a database holds --------------------------------------------------------------------


def is_storable(text: str) -> bool:
    """Whether a database can hold it at all; look no other name up."""
    return not _UNSTORABLE.search(text)


def storable(text: str) -> str:
    """The text with U+FFFD for NUL and halves of surrogate pairs."""
    return _UNSTORABLE.sub("\ufffd", text)


def storable_value(value: Any) -> Any:
    """The same for every text inside a JSON value, keys included; endless numbers are None."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int | float) and not abs(value) < _ENDLESS:
        return None  # NaN too
    if isinstance(value, dict):
        return {storable(str(key)): storable_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [storable_value(inner) for inner in value]
    return value


# -- what a reader sees -----------------------------------------------------------------------


def one_line(text: str) -> str:
    """The text in one line, hidden characters as escapes."""
    return _HIDDEN.sub(_escape, text)


def lines(text: str) -> str:
    """The text with its line breaks and tabs, all other hidden characters as escapes."""
    return _HIDDEN_IN_LINES.sub(_escape, text.replace("\r\n", "\n"))


def hides(text: str, *, breaks: bool = False) -> bool:
    """Whether it holds hidden characters; with `breaks`, line breaks and tabs may stand."""
    if breaks:
        text = text.replace("\r", "\n")
    return bool((_HIDDEN_IN_LINES if breaks else _HIDDEN).search(text))


def _escape(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04x}"


# -- trail and log ----------------------------------------------------------------------------


def log_line(text: str) -> str:
    """The text in one line, hidden characters as escapes, secrets removed."""
    return one_line(without_secrets(text))


def without_secrets(text: str) -> str:
    return _SECRETS.sub(REMOVED, text)


def log_value(value: Any, depth: int = _DEPTH) -> Any:
    """`log_line` of every text inside a JSON value, keys included.

    Numbers that JSON does not carry become texts: a row that cannot be hashed is never sealed.
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
        return str(value)  # NaN too, which is within nothing
    return value


# -- forms and files --------------------------------------------------------------------------


def form_text(text: str) -> str:
    """An answer as it is counted and kept: Unicode NFC, one kind of line end, trimmed.

    What no database keeps and overrides of the writing direction are left out.
    """
    text = _UNSTORABLE.sub("", text.replace("\r\n", "\n")).translate(_OVERRIDES)
    return unicodedata.normalize("NFC", text).strip()


def file_name(name: str) -> str:
    """A name that no system reads as anything else: no separators, nothing hidden, NFC."""
    name = _NOT_IN_NAMES.sub(" ", _HIDDEN.sub(" ", name))
    return unicodedata.normalize("NFC", " ".join(name.split())).strip(" .")


def csv_cell(value: object) -> str:
    """The value in one line, with an apostrophe before what a spreadsheet would run."""
    text = "" if value is None else one_line(str(value))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
