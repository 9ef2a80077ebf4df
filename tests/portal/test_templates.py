"""Readable templates: short lines, and URLs only by name."""

import re

import pytest
from django.conf import settings

LONGEST_LINE = 120
TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))
MAILS = sorted((settings.BASE_DIR / "templates").rglob("*.txt"))
_NAMES = {path: path.relative_to(settings.BASE_DIR).as_posix() for path in [*TEMPLATES, *MAILS]}


def test_no_line_of_a_page_is_longer_than_120_characters() -> None:
    # A paragraph of a mail is one line, for the reader's program to wrap.
    long = [
        f"{_NAMES[path]}:{number}"
        for path in TEMPLATES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > LONGEST_LINE
    ]
    assert long == []


@pytest.mark.parametrize("attribute", ["href", "action", "formaction", "src"])
def test_pages_name_addresses_by_url_and_static(attribute: str) -> None:
    literal = re.compile(rf'\b{attribute}="/')
    assert [_NAMES[path] for path in TEMPLATES if literal.search(path.read_text())] == []


def test_mails_name_addresses_by_url() -> None:
    literal = re.compile(r"public_url \}\}/", re.IGNORECASE)
    assert [_NAMES[path] for path in MAILS if literal.search(path.read_text())] == []


#: Below these, a path is what the file is about: routes, and middleware that runs before them.
_ROUTES = ("urls.py", "/routers/", "/middleware/", "/migrations/")
_PAGES = re.compile(
    r"""["']/(?:access|accounts|applications|apply|findings|keys|licences|models|privacy|recalls|"""
    r"""report|settings|tiers|transparency)(?:/|["'])"""
)
#: The origin of signed heads is a name that verifiers compare, not an address.
_NAMES_OF_LOGS = {"accounts/audit/merkle_log/signed_heads.py"}


def test_code_names_pages_by_reverse() -> None:
    sources = {
        path.relative_to(settings.BASE_DIR).as_posix(): path.read_text()
        for app in ("accounts", "weights", "portal")
        for path in (settings.BASE_DIR / app).rglob("*.py")
    }
    literal = {
        name
        for name, text in sources.items()
        if not any(part in name for part in _ROUTES) and _PAGES.search(text)
    }
    assert literal == _NAMES_OF_LOGS
