"""Generated PDF documents, harmless and hostile."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, String

Change = Callable[[pikepdf.Pdf, Any], None]


def pdf(change: Change | None = None, **how: Any) -> bytes:
    """One blank page, changed by `change(document, page)`; `how` goes to pikepdf's save."""
    document = pikepdf.new()
    page = document.add_blank_page().obj
    if change is not None:
        change(document, page)
    out = BytesIO()
    document.save(out, **how)
    return out.getvalue()


def raw(in_root: bytes) -> bytes:
    """Return a PDF written as plain bytes, with `in_root` in its catalogue."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R " + in_root + b" >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>",
    ]
    out, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(out)
    out += b"xref\n0 4\n0000000000 65535 f \n" + table
    return out + b"trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start


def _script() -> Any:
    return Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))


def _annotation(document: pikepdf.Pdf, page: Any, **facts: Any) -> None:
    rect = Array([0, 0, 10, 10])
    page.Annots = Array([document.make_indirect(Dictionary(Type=Name.Annot, Rect=rect, **facts))])


def _action(**facts: Any) -> Change:
    def change(document: pikepdf.Pdf, page: Any) -> None:
        _annotation(document, page, Subtype=Name.Link, A=Dictionary(**facts))

    return change


def _open(document: pikepdf.Pdf, page: Any) -> None:
    document.Root.OpenAction = _script()


def _named(document: pikepdf.Pdf, page: Any) -> None:
    names = Array([String("a"), document.make_indirect(_script())])
    document.Root.Names = Dictionary(JavaScript=Dictionary(Names=names))


def _on_page(document: pikepdf.Pdf, page: Any) -> None:
    page.AA = Dictionary(O=_script())


def _unreached(document: pikepdf.Pdf, page: Any) -> None:
    page.PieceInfo = Dictionary(Deep=Array([Array([Dictionary(Inner=_script())])]))


def _xfa(document: pikepdf.Pdf, page: Any) -> None:
    document.Root.AcroForm = Dictionary(Fields=Array([]), XFA=document.make_stream(b"<xdp/>"))


def _embedded(document: pikepdf.Pdf, page: Any) -> None:
    document.attachments["run.exe"] = pikepdf.AttachedFileSpec(document, b"MZ", filename="run.exe")


def _attached(document: pikepdf.Pdf, page: Any) -> None:
    inside = Dictionary(F=document.make_stream(b"MZ"))
    facts = {"Subtype": Name.FileAttachment, "FS": Dictionary(Type=Name.Filespec, EF=inside)}
    _annotation(document, page, **facts)


def _rich_media(document: pikepdf.Pdf, page: Any) -> None:
    _annotation(document, page, Subtype=Name.RichMedia)


def _elsewhere(document: pikepdf.Pdf, page: Any) -> None:
    page.Contents = document.make_stream(b"")
    page.Contents.F = Dictionary(FS=Name.URL, F=String("http://x.example/content"))


def _goto_page(document: pikepdf.Pdf, page: Any) -> None:
    document.Root.OpenAction = Dictionary(S=Name.GoTo, D=Array([page, Name.Fit]))


#: Typical documents of applicants: each is accepted.
HARMLESS: dict[str, bytes] = {
    "one written by hand": raw(b""),
    "a blank page": pdf(),
    "a link to a page of the web": pdf(_action(S=Name.URI, URI=String("https://example.org"))),
    "a link without a scheme": pdf(_action(S=Name.URI, URI=String("example.org/a:b"))),
    "a link to an address": pdf(_action(S=Name.URI, URI=String("mailto:a@example.org"))),
    "opening at a page": pdf(_goto_page),
    "objects packed in streams": pdf(object_stream_mode=pikepdf.ObjectStreamMode.generate),
}

#: What is refused: name -> (the word for it, the document).
HOSTILE: dict[str, tuple[str, bytes]] = {
    "a script on opening": ("scripts", pdf(_open)),
    "a script under a name": ("scripts", pdf(_named)),
    "a script on a page": ("scripts", pdf(_on_page)),
    "a script that no page reaches": ("scripts", pdf(_unreached)),
    "a script packed in a stream": (
        "scripts",
        pdf(_named, object_stream_mode=pikepdf.ObjectStreamMode.generate),
    ),
    "a script whose name is escaped": (
        "scripts",
        raw(b"/OpenAction << /S /J#61vaScript /J#53 (app.alert\\(1\\)) >>"),
    ),
    "a form with scripts of its own": ("scripts", pdf(_xfa)),
    "a program to launch": ("launch", pdf(_action(S=Name.Launch, F=String("calc.exe")))),
    "a file elsewhere": ("launch", pdf(_action(S=Name.GoToR, F=String(r"\\host\share")))),
    "an article elsewhere": ("launch", pdf(_action(S=Name.Thread, F=String(r"\\host\share")))),
    "a page that stands elsewhere": ("launch", pdf(_elsewhere)),
    "a link to a file": ("launch", pdf(_action(S=Name.URI, URI=String("file://host/share")))),
    "a link that runs": ("launch", pdf(_action(S=Name.URI, URI=String(" java\nscript:f()")))),
    "a portfolio": ("embedded", raw(b"/Collection << /Type /Collection /View /D >>")),
    "a form sent elsewhere": ("launch", pdf(_action(S=Name.SubmitForm, F=String("http://x")))),
    "an embedded file": ("embedded", pdf(_embedded)),
    "a file in a note": ("embedded", pdf(_attached)),
    "a film": ("embedded", pdf(_rich_media)),
    "a password": ("encrypted", pdf(encryption=pikepdf.Encryption(owner="o", user="u"))),
    "a password for changes alone": (
        "encrypted",
        pdf(encryption=pikepdf.Encryption(owner="o", user="")),
    ),
    "half of a document": ("damaged", pdf()[: len(pdf()) // 2]),
    "noise after the header": ("damaged", b"%PDF-1.7\n" + bytes(range(256)) * 20),
    "no page": ("damaged", b"%PDF-1.7\n%%EOF\n"),
    "an archive": ("other", b"PK\x03\x04" + pdf()),
    "a page of the web": ("other", b"<html><script>alert(1)</script></html>"),
    "nothing": ("other", b""),
}
