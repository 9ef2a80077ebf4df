"""Text files: plain ones, and those that programs run (scripts, notebooks, chat templates)."""

import codecs
import json
import re

from weights.inspection.content import keras_config
from weights.inspection.formats.source import Source, UnpackedSource
from weights.inspection.formats.verdict import Verdict

#: Bytes read to tell text from binary data.
HEAD_BYTES = 64 * 1024
#: The same for a part of an archive, which may have thousands.
PART_HEAD_BYTES = 4 * 1024
#: Larger texts are not read completely.
MAX_READ_BYTES = 128 * 1024 * 1024
_CHUNK = 1024 * 1024
_MAX_JSON_BYTES = 16 * 1024 * 1024
_SHEBANG = re.compile(rb"(\xef\xbb\xbf)?#!")
_PROGRAMS = (
    *(b"\x7fELF", b"MZ\x90\0"),
    *(b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"),
)
_LETTERS = b"".join(b"(?:%c|%%%02x)" % (letter, letter) for letter in b"python")
#: Tags with which unsafe YAML loaders call Python, including escaped ones and those shortened by a
#: directive.
_YAML = re.compile(
    rb"![!<]\S{0,100}?" + _LETTERS + rb"(?:/|%2f)|tag:yaml\.org,2002:python/|%TAG +!",
    re.IGNORECASE,
)
#: The key of a template in JSON that is too large to parse, possibly with escaped letters.
_LARGE_TEMPLATE = re.compile(rb'"chat_template"\s*:\s*["\[{]|\\u00(?:5f|6[1-9a-f]|7[0-4])', re.I)
#: Byte order marks by which YAML loaders recognise UTF-16.
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
#: Matches of the patterns above are shorter.
_OVERLAP = 1024
_OPENVINO = re.compile(rb"<net\s[^<>]*>")

CODE = "source code"
_TEMPLATE = "JSON with a chat template"


def head_of(source: Source) -> bytes:
    is_part = isinstance(source, UnpackedSource)
    return source.read(0, PART_HEAD_BYTES if is_part else HEAD_BYTES)


def is_text(head: bytes, size: int) -> bool:
    """True if the head of a file of this size is UTF-8 without NUL; it may end mid-character."""
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) < size and error.start >= len(head) - 3
    return True


def program_kind(head: bytes) -> str:
    """The kind of a file that systems execute because of its first bytes, or ""."""
    if _SHEBANG.match(head):
        return "script"
    return "program" if head.startswith(_PROGRAMS) else ""


def inspect(source: Source) -> Verdict | None:
    """The verdict on a text, which is read completely unless too large; None for binary data.

    Raises Refused for a Keras configuration with a Lambda layer.
    """
    head = head_of(source)
    is_utf_16 = head.startswith(_UTF_16)
    if not is_utf_16 and not is_text(head, source.size):
        return None
    if _is_openvino(head):
        return Verdict("OpenVINO", "not_inspected", "nothing here can look into this format")
    if source.size > MAX_READ_BYTES or isinstance(source, UnpackedSource):
        return Verdict("text", "not_inspected", "only its beginning was read")
    content = _Content(source)
    if content.calls_python:
        return Verdict("YAML that calls Python", "code")
    if is_utf_16:
        return None
    if not content.is_text:
        return Verdict("unknown", "not_inspected", "it begins as text and goes on as other data")
    if kind := _json_kind(source, head, content):
        return Verdict(kind, "code")
    return Verdict("text", "inspected")


def _is_openvino(head: bytes) -> bool:
    net = _OPENVINO.search(head)
    return net is not None and head.find(b"<layers>", net.end()) >= 0


class _Content:
    """Searches a whole file once, for invalid UTF-8 and for the patterns."""

    def __init__(self, source: Source) -> None:
        self.is_text, self.calls_python, self.has_template = True, False, False
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        end = b""
        for start in range(0, source.size, _CHUNK):
            part = source.read(start, _CHUNK)
            self._decode(part, is_last=start + _CHUNK >= source.size)
            searched = end + part.replace(b"\0", b"")  # turns ASCII in UTF-16 into plain ASCII
            self.calls_python = self.calls_python or bool(_YAML.search(searched))
            self.has_template = self.has_template or bool(_LARGE_TEMPLATE.search(searched))
            end = searched[-_OVERLAP:]

    def _decode(self, part: bytes, *, is_last: bool) -> None:
        if b"\0" in part:
            self.is_text = False
        if self.is_text:
            try:
                self._decoder.decode(part, final=is_last)
            except UnicodeDecodeError:
                self.is_text = False


def _json_kind(source: Source, head: bytes, content: _Content) -> str:
    """The kind of code that JSON, whatever its name, contains, or ""."""
    if not head.lstrip().startswith((b"{", b"\xef\xbb\xbf")):
        return ""
    if source.size > _MAX_JSON_BYTES:
        return _TEMPLATE if content.has_template else ""
    try:
        document = json.loads(source.read(0, source.size).decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict):
        return ""
    keras_config.refuse_code(document)
    if "cells" in document and "nbformat" in document:
        return "notebook"
    return _TEMPLATE if document.get("chat_template") else ""
