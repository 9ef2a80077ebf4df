"""Converts Markdown to safe HTML: renders first, then sanitises."""

from collections.abc import Sequence

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from accounts.web.sanitize import multiline

_TAG_NAMES = (
    "a b blockquote br code dd del dl dt em h1 h2 h3 h4 h5 h6 hr i li ol p pre s strong sub"
)
_TAGS = {*_TAG_NAMES.split(), "sup", "table", "tbody", "td", "th", "thead", "tr", "ul"}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto"}


def to_html(text: str, *, top: int = 2, relative_to: str = "") -> SafeString:
    """Render `text` as HTML without scripts, images or other loaded content.

    Headings start at level `top` and skip no level, so that the page's outline is valid.
    Relative links resolve against `relative_to`, a URL that ends with a slash.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    tokens = parser.parse(multiline(text))
    _shift_headings(tokens, top)
    _resolve_links(tokens, relative_to)
    html = parser.renderer.render(tokens, parser.options, {})
    clean = nh3.clean(html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES)
    return mark_safe(clean)  # noqa: S308 - nh3 has just cleaned it  # nosec B308 B703


def _shift_headings(tokens: Sequence[Token], top: int) -> None:
    levels = [int(token.tag[1]) for token in tokens if token.type == "heading_open"]
    if not levels:
        return
    shift, previous = top - min(levels), top - 1
    for token in tokens:
        if token.type == "heading_open":
            previous = min(int(token.tag[1]) + shift, previous + 1, 6)
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{previous}"


def _resolve_links(tokens: Sequence[Token], relative_to: str) -> None:
    """Resolve relative links, and replace images with their alternative text."""
    for token in tokens:
        for child in token.children or []:
            if child.type == "link_open":
                child.attrs["href"] = _resolve(str(child.attrs.get("href", "")), relative_to)
            elif child.type == "image":
                child.type, child.tag = "html_inline", ""
                child.content = escape(child.content)


def _resolve(url: str, relative_to: str) -> str:
    first = url.partition("/")[0]
    if not relative_to or not url or url[0] in "/#?" or ":" in first:
        return url
    return relative_to + url.removeprefix("./")
