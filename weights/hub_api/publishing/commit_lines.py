"""The body of a commit: NDJSON (one JSON object per line), read as a stream within limits."""

import binascii
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from accounts.errors import AccountsCode, InvalidValue
from accounts.web.sanitize import is_storable, multiline
from weights.errors import BadBody, WeightsCode
from weights.manifests import listing
from weights.publishing.drafts.commits import (
    MOST_MESSAGE,
    AddFile,
    AddObject,
    DeleteFile,
    DeleteFolder,
    Operation,
)

#: Maximum operations of one commit; clients send at most 1000, except folders without Xet.
MAX_OPERATIONS = 5000
#: Maximum bytes of the header line; each character of the message may be escaped as six.
_HEADER_LINE = 6 * MOST_MESSAGE + 1024
#: Maximum bytes of a line: a file below the LFS size in base64, its path and the field names.
MAX_LINE = 4 * -(-listing.LFS_ABOVE // 3) + 16 * 1024
#: Maximum bytes of all files in a commit's lines; clients send about 100 MiB.
MAX_INLINE = 256 * 1024 * 1024
#: Maximum JSON delimiters in a line of more than `_LONG_LINE` bytes. Such a line must be a file:
#: base64 has no delimiters, its path a few.
_MAX_MARKS, _LONG_LINE = 6000, 128 * 1024
_MARKS = [b"[", b"{", b",", b":"]
_SHA256, _COMMIT = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")


class Stream(Protocol):
    def readline(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Header:
    """The first line; `parent`, unless empty, is the commit that must be the branch's head."""

    message: str
    parent: str


class Lines:
    """The lines of a body of `length` bytes. Every error is BadBody or InvalidValue."""

    def __init__(self, stream: Stream, length: int) -> None:
        self._stream, self._left = stream, length

    def read_header(self) -> Header:
        """Reads the first line."""
        key, value = self._next(_HEADER_LINE) or ("", {})
        if key != "header":
            raise InvalidValue("the first line of a commit must be its header")
        title, description = _text(value, "summary").strip(), _text(value, "description").strip()
        if not title or len(title) + len(description) > MOST_MESSAGE:
            raise InvalidValue(f"a commit's message has 1 to {MOST_MESSAGE} characters")
        parent = _text(value, "parentCommit")
        if parent and not _COMMIT.fullmatch(parent):
            raise InvalidValue("parentCommit must be the 40 hexadecimal digits of a commit")
        return Header(multiline(f"{title}\n\n{description}".strip()), parent)

    def read_operations(self) -> Iterator[Operation]:
        """Yields the operations line by line, so that only one file is in memory at a time."""
        inline = count = 0
        while (line := self._next(MAX_LINE)) is not None:
            count += 1
            if count > MAX_OPERATIONS:
                raise _too_long(f"A commit has at most {MAX_OPERATIONS} operations; send several.")
            key, value = line
            if key not in _READERS:
                raise InvalidValue(f"a commit has no operation {key[:40]!r}")
            operation = _READERS[key](value)
            if isinstance(operation, AddFile):
                inline += len(operation.content)
                if inline > MAX_INLINE:
                    raise _too_long(f"The files in a commit's lines exceed {MAX_INLINE} bytes.")
            yield operation

    def _next(self, limit: int) -> tuple[str, dict[str, Any]] | None:
        """The key and the value of the next line; None at the end of the body.

        A killed client leaves a truncated body, which must not be taken for the complete commit.
        """
        line = self._stream.readline(limit + 1)
        self._left -= len(line)
        if len(line) > limit:
            raise _too_long(f"A line has more than {limit} bytes; send large files with LFS.")
        if not line.endswith(b"\n") and self._left > 0:
            raise BadBody(AccountsCode.BAD_REQUEST, "The body ended early; send the commit again.")
        return _parse(line) if line else None


def _parse(line: bytes) -> tuple[str, dict[str, Any]]:
    # Checked before parsing, since a line of brackets would become gigabytes of lists.
    if len(line) > _LONG_LINE and sum(line.count(mark) for mark in _MARKS) > _MAX_MARKS:
        raise _not_json("a line holds more than one operation")
    try:
        parsed = json.loads(line)
        key, value = parsed["key"], parsed["value"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _not_json("each line is an object with a key and a value") from error
    if not isinstance(key, str) or not isinstance(value, dict):
        raise _not_json("each line is an object with a key and a value")
    return key, value


def _text(value: dict[str, Any], name: str) -> str:
    text = value.get(name)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise InvalidValue(f"{name} must be a string")
    if not is_storable(text):
        raise BadBody(WeightsCode.BODY_NOT_UTF8, f"{name} contains NUL or an unpaired surrogate")
    return text


def _file(value: dict[str, Any]) -> Operation:
    path, text = _text(value, "path"), value.get("content")
    if not isinstance(text, str):
        raise InvalidValue(f"{path!r} has no content")
    try:
        content = _DECODERS[value.get("encoding", "utf-8")](text)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidValue(f"the content of {path!r} is not valid base64") from error
    if len(content) > listing.LFS_ABOVE:
        raise _too_long(f"{path!r} is longer than {listing.LFS_ABOVE} bytes; send it with LFS.")
    return AddFile(path, content)


def _object(value: dict[str, Any]) -> Operation:
    path, oid, size = _text(value, "path"), _text(value, "oid"), value.get("size")
    if value.get("algo", "sha256") != "sha256" or not _SHA256.fullmatch(oid):
        raise InvalidValue(f"the object of {path!r} must be named by its SHA-256")
    if size is not None and (type(size) is not int or size < 0):
        raise InvalidValue(f"the size of {path!r} must be a number of bytes")
    return AddObject(path, oid, size)


def _too_long(message: str) -> BadBody:
    return BadBody(WeightsCode.BODY_TOO_LONG, message)


def _not_json(message: str) -> BadBody:
    return BadBody(WeightsCode.BODY_NOT_JSON, f"The commit is not NDJSON: {message}.")


#: Encoding of a file's content -> its decoder, which raises ValueError.
_DECODERS: dict[Any, Callable[[str], bytes]] = {
    "base64": lambda text: binascii.a2b_base64(text, strict_mode=True),
    "utf-8": str.encode,
}
_READERS: dict[str, Callable[[dict[str, Any]], Operation]] = {
    "file": _file,
    "lfsFile": _object,
    "deletedFile": lambda value: DeleteFile(_text(value, "path")),
    "deletedFolder": lambda value: DeleteFolder(_text(value, "path").rstrip("/")),
}
