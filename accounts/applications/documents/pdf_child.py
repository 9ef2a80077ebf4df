"""Judges one PDF from standard input: prints `ok`, or one word for what is wrong with it.

Run as a program of its own (`accounts.pdf_check` starts it), because it parses what a stranger
made: with little time and memory, no files to write, and nothing of the portal in reach.
"""

import resource
import sys
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pikepdf

MEMORY, CPU_SECONDS, MOST_OBJECTS = 768 * 2**20, 10, 500_000

#: Keys and values by which a document runs something, reaches outside, or carries a file.
_SCRIPT_KEYS = {"/JS", "/XFA"}
_EMBEDDING_KEYS = {
    "/Collection",
    "/EF",
    "/EmbeddedFiles",
    "/RichMediaContent",
    "/RichMediaSettings",
}
_ACTIONS = {
    "/JavaScript": "scripts",
    "/Rendition": "scripts",
    "/RichMediaExecute": "scripts",
    "/Launch": "launch",
    "/SubmitForm": "launch",
    "/ImportData": "launch",
    "/GoToR": "launch",
    "/Thread": "launch",
    "/GoToE": "embedded",
}
#: Where a link may lead; others open programs or files of whoever reads.
_LINKS = ("http:", "https:", "mailto:")
_KINDS = {
    "/EmbeddedFile": "embedded",
    "/FileAttachment": "embedded",
    "/RichMedia": "embedded",
    "/Movie": "embedded",
    "/Sound": "embedded",
    "/Screen": "embedded",
    "/3D": "embedded",
    "/PS": "scripts",
}


class Wrong(Exception):
    """Ends the check with one word."""


def check(content: bytes) -> None:
    """Raise Wrong with what is wrong; a document that may be kept passes."""
    if not content.startswith(b"%PDF-"):
        raise Wrong("other")
    try:
        with pikepdf.open(BytesIO(content), attempt_recovery=False, suppress_warnings=True) as pdf:
            if pdf.is_encrypted:
                raise Wrong("encrypted")
            if not len(pdf.pages):
                raise Wrong("damaged")
            for found in _dictionaries(pdf):
                _judge(found)
    except pikepdf.PasswordError as error:
        raise Wrong("encrypted") from error
    except (pikepdf.PdfError, ValueError, TypeError) as error:
        raise Wrong("damaged") from error


def _dictionaries(pdf: pikepdf.Pdf) -> Iterator[Any]:
    """Every dictionary of the document, reached from a page or not, each once."""
    seen = 0
    for top in pdf.objects:
        inside = [top]
        while inside:
            seen += 1
            if seen > MOST_OBJECTS:
                raise Wrong("heavy")
            one = inside.pop()
            if isinstance(one, pikepdf.Dictionary | pikepdf.Stream):
                yield one
                inside.extend(_direct(one[key] for key in one.keys()))  # noqa: SIM118
            elif isinstance(one, pikepdf.Array):
                inside.extend(_direct(one))


def _direct(values: Any) -> Iterator[Any]:
    """Those that stand here and not elsewhere: what is referred to comes up by itself."""
    for value in values:
        if isinstance(value, pikepdf.Object) and not value.is_indirect:
            yield value


def _judge(found: Any) -> None:
    keys = set(found.keys())
    if keys & _SCRIPT_KEYS:
        raise Wrong("scripts")
    if keys & _EMBEDDING_KEYS:
        raise Wrong("embedded")
    for key, meanings in (("/S", _ACTIONS), ("/Type", _KINDS), ("/Subtype", _KINDS)):
        word = meanings.get(str(found[key])) if key in keys else None
        if word:
            raise Wrong(word)
    if isinstance(found, pikepdf.Stream) and "/F" in keys:  # its content stands in another file
        raise Wrong("launch")
    if "/URI" in keys and not _is_a_plain_link(found["/URI"]):
        raise Wrong("launch")


def _is_a_plain_link(value: Any) -> bool:
    """An address of the web or of mail, or the dictionary of a document's base address."""
    if isinstance(value, pikepdf.Dictionary):
        return "/Base" not in value.keys() or _is_a_plain_link(value["/Base"])  # noqa: SIM118
    address = "".join(str(value).split()).lower()
    scheme, colon, _ = address.partition(":")
    return address.startswith(_LINKS) or not colon or "/" in scheme


def _limit() -> None:
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):  # a system that knows no such limit
            pass


def main() -> None:
    _limit()
    try:
        check(sys.stdin.buffer.read())
    except Wrong as wrong:
        sys.stdout.write(str(wrong))
    except MemoryError:
        sys.stdout.write("heavy")
    else:
        sys.stdout.write("ok")


if __name__ == "__main__":
    main()
