"""Markdown made safe for a page: rendered first, then cleaned, always in this order."""

from collections.abc import Sequence

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from accounts.web.sanitize import lines

_WORDS = "a b blockquote br code dd del dl dt em h1 h2 h3 h4 h5 h6 hr i li ol p pre s strong sub"
_TAGS = {*_WORDS.split(), "sup", "table", "tbody", "td", "th", "thead", "tr", "ul"}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto"}


def to_html(text: str, *, top: int = 2, relative_to: str = "") -> SafeString:
    """HTML of `text` that runs nothing and loads nothing.

    Headings begin at level `top` and skip none, so that the page's outline stays whole.
    Relative links lead below `relative_to`, an address that ends in a slash.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    tokens = parser.parse(lines(text))
    _level_headings(tokens, top)
    _settle_links(tokens, relative_to)
    html = parser.renderer.render(tokens, parser.options, {})
    clean = nh3.clean(html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES)
    return mark_safe(clean)  # noqa: S308 - nh3 has just cleaned it  # nosec B308 B703


def _level_headings(tokens: Sequence[Token], top: int) -> None:
    levels = [int(token.tag[1]) for token in tokens if token.type == "heading_open"]
    if not levels:
        return
    lift, before = top - min(levels), top - 1
    for token in tokens:
        if token.type == "heading_open":
            before = min(int(token.tag[1]) + lift, before + 1, 6)
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{before}"


def _settle_links(tokens: Sequence[Token], relative_to: str) -> None:
    """Point relative links somewhere, and let pictures, which no page loads, be their words."""
    for token in tokens:
        for child in token.children or []:
            if child.type == "link_open":
                child.attrs["href"] = _settled(str(child.attrs.get("href", "")), relative_to)
            elif child.type == "image":
                child.type, child.tag = "html_inline", ""
                child.content = escape(child.content)


def _settled(address: str, relative_to: str) -> str:
    first = address.partition("/")[0]
    if not relative_to or not address or address[0] in "/#?" or ":" in first:
        return address
    return relative_to + address.removeprefix("./")
