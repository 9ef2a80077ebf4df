"""Check one PDF from standard input: print `ok`, or one word that names the problem.

`pdf_check` runs this file as a separate program, because it parses untrusted input: with limits on
time and memory, no files to write, and without the portal's code and environment.
"""

import resource
import sys
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pikepdf

MAX_MEMORY, MAX_CPU_SECONDS, MAX_OBJECTS = 768 * 2**20, 10, 500_000

#: Keys and values that mark scripts, actions that open programs or other files, and embedded files.
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
#: URL schemes allowed in links; others could open programs or files on the reader's computer.
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


class Rejected(Exception):
    """The document is not acceptable; the message is one word that names the problem."""


def check(content: bytes) -> None:
    """Raise Rejected unless the document is acceptable."""
    if not content.startswith(b"%PDF-"):
        raise Rejected("other")
    try:
        with pikepdf.open(BytesIO(content), attempt_recovery=False, suppress_warnings=True) as pdf:
            if pdf.is_encrypted:
                raise Rejected("encrypted")
            if not len(pdf.pages):
                raise Rejected("damaged")
            for dictionary in _dictionaries(pdf):
                _check_dictionary(dictionary)
    except pikepdf.PasswordError as error:
        raise Rejected("encrypted") from error
    except (pikepdf.PdfError, ValueError, TypeError) as error:
        raise Rejected("damaged") from error


def _dictionaries(pdf: pikepdf.Pdf) -> Iterator[Any]:
    """Yield each dictionary of the document once, including those that no page refers to."""
    count = 0
    for top in pdf.objects:
        stack = [top]
        while stack:
            count += 1
            if count > MAX_OBJECTS:
                raise Rejected("heavy")
            one = stack.pop()
            if isinstance(one, pikepdf.Dictionary | pikepdf.Stream):
                yield one
                stack.extend(_direct(one[key] for key in one.keys()))  # noqa: SIM118
            elif isinstance(one, pikepdf.Array):
                stack.extend(_direct(one))


def _direct(values: Any) -> Iterator[Any]:
    """Yield the direct objects among `values`; `pdf.objects` lists the indirect ones."""
    for value in values:
        if isinstance(value, pikepdf.Object) and not value.is_indirect:
            yield value


def _check_dictionary(dictionary: Any) -> None:
    keys = set(dictionary.keys())
    if keys & _SCRIPT_KEYS:
        raise Rejected("scripts")
    if keys & _EMBEDDING_KEYS:
        raise Rejected("embedded")
    for key, problems in (("/S", _ACTIONS), ("/Type", _KINDS), ("/Subtype", _KINDS)):
        problem = problems.get(str(dictionary[key])) if key in keys else None
        if problem:
            raise Rejected(problem)
    if isinstance(dictionary, pikepdf.Stream) and "/F" in keys:  # the content is in another file
        raise Rejected("launch")
    if "/URI" in keys and not _is_plain_link(dictionary["/URI"]):
        raise Rejected("launch")


def _is_plain_link(value: Any) -> bool:
    """True for a web or mail URL, and for the dictionary of a document's base URL."""
    if isinstance(value, pikepdf.Dictionary):
        return "/Base" not in value.keys() or _is_plain_link(value["/Base"])  # noqa: SIM118
    address = "".join(str(value).split()).lower()
    scheme, colon, _ = address.partition(":")
    return address.startswith(_LINKS) or not colon or "/" in scheme


def _set_limits() -> None:
    for limit, value in (
        (resource.RLIMIT_AS, MAX_MEMORY),
        (resource.RLIMIT_CPU, MAX_CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(limit, (value, value))
        except (ValueError, OSError):  # the system does not support this limit
            pass


def main() -> None:
    _set_limits()
    try:
        check(sys.stdin.buffer.read())
    except Rejected as error:
        sys.stdout.write(str(error))
    except MemoryError:
        sys.stdout.write("heavy")
    else:
        sys.stdout.write("ok")


if __name__ == "__main__":
    main()
