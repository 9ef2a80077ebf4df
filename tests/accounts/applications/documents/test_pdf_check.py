"""The PDF check accepts only complete PDFs without scripts, actions and embedded files."""

import pytest

from accounts.applications.documents import pdf_check, pdf_child
from accounts.errors import InvalidValue
from tests.accounts.applications.documents.pdfs import HARMLESS, HOSTILE

pytestmark = pytest.mark.one_database


@pytest.mark.parametrize("name", HARMLESS)
def test_ordinary_documents_are_accepted(name: str) -> None:
    pdf_child.check(HARMLESS[name])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_pdf_with_active_or_embedded_content_is_refused_with_its_code(name: str) -> None:
    word, content = HOSTILE[name]
    with pytest.raises(pdf_child.Rejected, match=f"^{word}$"):
        pdf_child.check(content)


@pytest.mark.slow
def test_the_child_process_returns_the_same() -> None:
    pdf_check.require_harmless(HARMLESS["a blank page"])
    for name, told in (
        ("a script on opening", "contains scripts"),
        ("a password", "encrypted"),
        ("half of a document", "damaged"),
        ("an archive", "not a PDF"),
    ):
        with pytest.raises(InvalidValue, match=told):
            pdf_check.require_harmless(HOSTILE[name][1])


def test_a_document_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # A bound made small: no child starts in a millisecond.
    monkeypatch.setattr(pdf_check, "_TIMEOUT", 0.001)
    with pytest.raises(InvalidValue, match="takes too long"):
        pdf_check.require_harmless(HARMLESS["a blank page"])


def test_more_objects_than_a_document_needs_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    # A bound made small: a blank page has more objects.
    monkeypatch.setattr(pdf_child, "MAX_OBJECTS", 2)
    with pytest.raises(pdf_child.Rejected, match="heavy"):
        pdf_child.check(HARMLESS["a blank page"])
