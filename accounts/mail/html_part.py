"""The HTML part of a mail, rendered from its text, so that both say the same.

A blank line separates blocks. Lines that begin with "- " are a list. Lines indented by two spaces
are shown as typed; a single one that is a URL of this portal becomes a button.
"""

import re
from dataclasses import dataclass
from itertools import groupby

from django.conf import settings
from django.template.loader import render_to_string

_INDENT = "  "


@dataclass(frozen=True)
class Block:
    """Lines of one kind: `text`, `list`, `typed` or `button`.

    Each line is a list of pieces; every second one is a URL of this portal.
    """

    kind: str
    lines: list[list[str]]


def render(subject: str, text: str) -> str:
    """Return the HTML document of a mail. Only URLs of this portal become links."""
    context = {
        "subject": subject,
        "blocks": blocks(text),
        "site": settings.SITE_NAME,
        "public_url": settings.PUBLIC_URL,
    }
    return render_to_string("emails/layout.html", context)


def blocks(text: str) -> list[Block]:
    found = []
    for kind, lines in groupby(text.rstrip().splitlines(), key=_kind):
        if kind:
            found.append(_block(kind, list(lines)))
    return found


def _kind(line: str) -> str:
    if not line.strip():
        return ""
    if line.startswith("- "):
        return "list"
    return "typed" if line.startswith(_INDENT) else "text"


def _block(kind: str, lines: list[str]) -> Block:
    lines = [line.removeprefix("- " if kind == "list" else _INDENT) for line in lines]
    pieces = [_pieces(line) for line in lines]
    if kind == "typed" and [len(line) for line in pieces] == [3] and not "".join(pieces[0][::2]):
        kind = "button"
    return Block(kind, pieces)


def _pieces(line: str) -> list[str]:
    own = re.escape(settings.PUBLIC_URL)
    return re.split(rf"({own}(?:/[^\s'\"<>]*[^\s'\"<>.,;:)])?)(?=$|[\s'\"<>.,;:)])", line)
