"""Texts: plain ones, and those that programs run: source code, notebooks, chat templates."""

import codecs
import json
import re
from typing import Any

from weights.inspection.formats.source import Source, UnpackedSource
from weights.inspection.formats.verdict import Verdict

#: Bytes read to tell text from binary data.
HEAD_BYTES = 64 * 1024
#: The same of a part of an archive, which may have thousands.
PART_HEAD_BYTES = 4 * 1024
#: Larger texts are not read whole.
MAX_READ_BYTES = 128 * 1024 * 1024
_CHUNK = 1024 * 1024
_MAX_JSON_BYTES = 16 * 1024 * 1024
_SHEBANG = re.compile(rb"(\xef\xbb\xbf)?#!")
_PROGRAMS = (
    *(b"\x7fELF", b"MZ\x90\0"),
    *(b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"),
)
#: A tag by which YAML loaders that are not safe call Python.
_YAML = re.compile(rb"!!python/|tag:yaml\.org,2002:python/")
_OPENVINO = re.compile(rb"<net\s[^>]*>.*<layers>", re.DOTALL)

CODE = "source code"


def head_of(source: Source) -> bytes:
    is_part = isinstance(source, UnpackedSource)
    return source.read(0, PART_HEAD_BYTES if is_part else HEAD_BYTES)


def is_text(head: bytes, size: int) -> bool:
    """True if the head of a file of this size is UTF-8 without NUL; it may end in a character."""
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) < size and error.start >= len(head) - 3
    return True


def program_kind(head: bytes) -> str:
    """The kind of a file that systems run by its first bytes; empty for others."""
    if _SHEBANG.match(head):
        return "script"
    return "program" if head.startswith(_PROGRAMS) else ""


def inspect(source: Source) -> Verdict | None:
    """The verdict on a text, which is read whole if it is not too large; none for binary data."""
    head = head_of(source)
    if not is_text(head, source.size):
        return None
    if _OPENVINO.search(head):
        return Verdict("OpenVINO", "not_inspected", "nothing here can look into this format")
    if source.size > MAX_READ_BYTES or isinstance(source, UnpackedSource):
        return Verdict("text", "not_inspected", "only its beginning was read")
    if not _is_text_throughout(source):
        return Verdict("unknown", "not_inspected", "it begins as text and goes on as other data")
    if kind := _code_kind(source, head):
        return Verdict(kind, "code")
    return Verdict("text", "inspected")


def _is_text_throughout(source: Source) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, source.size, _CHUNK):
            part = source.read(start, _CHUNK)
            decoder.decode(part)
            if b"\0" in part:
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _code_kind(source: Source, head: bytes) -> str:
    """The kind of code that a text of any name is; empty for others."""
    if _YAML.search(head):
        return "YAML that calls Python"
    if source.size > _MAX_JSON_BYTES or not head.lstrip().startswith((b"{", b"\xef\xbb\xbf")):
        return ""
    try:
        document = json.loads(source.read(0, source.size).decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return ""
    return _json_kind(document)


def _json_kind(document: Any) -> str:
    if not isinstance(document, dict):
        return ""
    if "cells" in document and "nbformat" in document:
        return "notebook"
    return "JSON with a chat template" if document.get("chat_template") else ""
