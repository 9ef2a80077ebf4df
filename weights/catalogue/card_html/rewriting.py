"""Rewrites the tags of a sanitised card: headings, images, tables, check boxes, alignment.

nh3 serialises all tags uniformly, so a regular expression finds them all.
"""

import posixpath
import re
from collections import Counter
from html import escape, unescape
from urllib.parse import quote, unquote, urlsplit

from django.utils.text import slugify

_ATTRIBUTES = r'((?: [\w:-]+="[^"]*")*)'
_TAG = re.compile(rf"<(/?)(\w+){_ATTRIBUTES}>")
_HEADING = re.compile(rf"<h([1-6]){_ATTRIBUTES}>(.*?)</h\1>", re.DOTALL)
_ATTRIBUTE = re.compile(r' ([\w:-]+)="([^"]*)"')
_SIZE = re.compile(r"[1-9][0-9]{0,3}")
_TABLE = '<div class="table-wrap" role="group" tabindex="0" aria-label="Table"><table>'


class Rewriter:
    """Rewrites one card; `images` is the URL of its images, `top` the level of its headings."""

    def __init__(self, images: str, top: int) -> None:
        self._images, self._top = images, top
        self._slugs: Counter[str] = Counter()
        self._links = 0

    def rewrite(self, html: str) -> str:
        levels = [int(level) for level, _, _ in _HEADING.findall(html)]
        self._shift, self._level = self._top - min(levels, default=1), self._top - 1
        return _TAG.sub(self._tag, _HEADING.sub(self._heading, html))

    def _heading(self, match: re.Match[str]) -> str:
        """The heading at its level in the page, with an id and a link to itself."""
        level, attributes, content = match.groups()
        self._level = min(int(level) + self._shift, self._level + 1, 6)
        slug = slugify(unescape(_TAG.sub("", content)), allow_unicode=True) or "section"
        self._slugs[slug] += 1
        if (number := self._slugs[slug]) > 1:
            slug = f"{slug}-{number - 1}"
        attributes = "".join(
            f' {name}="{value}"' for name, value in _ATTRIBUTE.findall(attributes) if name != "id"
        )
        if "<a" not in content:
            content = f'<a class="anchor" href="#{slug}">{content}</a>'
        return f'<h{self._level} id="{slug}"{attributes}>{content}</h{self._level}>'

    def _tag(self, match: re.Match[str]) -> str:
        closing, name, attributes = match.groups()
        if name == "table":
            return "</table></div>" if closing else _TABLE
        if name == "a":
            self._links += -1 if closing else 1
        values = dict(_ATTRIBUTE.findall(attributes))
        if name == "img":
            return self._image(values)
        if name == "input":
            if "class" not in values:  # not the check box of a task list
                return ""
            done = "checked" in values
            kind, label = ("task is-done", "Done") if done else ("task", "To do")
            return f'<span class="{kind}" role="img" aria-label="{label}"></span>'
        if align := values.get("align"):
            rest = attributes.replace(f' align="{align}"', "")
            return f'<{name} class="is-{align}"{rest}>'
        return match[0]

    def _image(self, values: dict[str, str]) -> str:
        """An image of this revision, a link to an image elsewhere, or the alternative text."""
        address, alt = unescape(values.get("src", "")), values.get("alt", "")
        path = path_in_revision(address)
        if path and self._images:
            size = "".join(
                f' {side}="{values[side]}"'
                for side in ("width", "height")
                if _SIZE.fullmatch(values.get(side, ""))
            )
            source = escape(self._images + quote(path))
            return f'<img src="{source}" alt="{alt}" loading="lazy"{size}>'
        if path or self._links or not address.startswith(("http://", "https://")):
            return alt
        return f'<a href="{escape(address)}">{alt or "Image"} (image elsewhere)</a>'


def path_in_revision(address: str) -> str:
    """The path of a relative URL inside the revision; empty for any other URL."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if parts.scheme or parts.netloc or not parts.path:
        return ""
    path = posixpath.normpath(unquote(parts.path))
    return "" if path.startswith(("..", "/", "\\")) or path == "." else path
