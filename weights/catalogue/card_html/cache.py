"""Rendered cards, cached by content, addresses and renderer version.

Cached HTML is signed, so that write access to the cache does not allow injecting HTML.
"""

import hashlib
import logging
from dataclasses import dataclass

from django.core.signing import BadSignature, Signer
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from accounts.web.sanitize import multiline
from weights.catalogue.card_html import VERSION
from weights.inspection import runner
from weights.inspection.formats.source import BytesSource
from weights.web import quiet_cache

log = logging.getLogger(__name__)

#: Seconds that a child may take; ordinary cards take less than a tenth of one.
SECONDS = 5.0
#: Seconds to cache HTML, and the plain text of a card that exceeded the limits.
_LIFE, _LIFE_OF_TEXT = 7 * 24 * 3600, 600
#: Maximum characters of a card that is shown as text.
_MAX_TEXT = 64_000
_JOB = "weights.catalogue.card_html.renderer:render_as_json"


@dataclass(frozen=True)
class Addresses:
    """Base URLs of relative links and images, each with a final slash, or empty."""

    links: str = ""
    images: str = ""


def html_of(text: str, addresses: Addresses, top: int) -> SafeString:
    """The HTML of a card without its front matter. Its headings start at level `top`."""
    if not text.strip():
        return SafeString("")
    parts = (str(VERSION), addresses.links, addresses.images, str(top), text)
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "replace"))
    key = f"card:{digest.hexdigest()}"
    html = _cached(key)
    if html is None:
        html = runner.page_thread.submit(_render, key, text, addresses, top).result()
    return mark_safe(html)  # noqa: S308 - sanitised by the renderer  # nosec B308 B703


def _render(key: str, text: str, addresses: Addresses, top: int) -> str:
    """The HTML, unless another request has rendered it meanwhile."""
    if (html := _cached(key)) is not None:
        return html
    arguments = {"links": addresses.links, "images": addresses.images, "top": top}
    try:
        source = BytesSource(text.encode("utf-8", "replace"))
        result = runner.run(runner.Job(_JOB, arguments), source, SECONDS)
        html = str(result["html"])
    except runner.Broken as error:
        log.warning("a card is shown as text: %s", error)
        html = _as_text(text)
        _store(key, html, _LIFE_OF_TEXT)
    else:
        _store(key, html, _LIFE)
    return html


def _as_text(text: str) -> str:
    message = "This card is too complex to format, so its source text is shown."
    return format_html('<p class="soft">{}</p><pre>{}</pre>', message, multiline(text)[:_MAX_TEXT])


def _cached(key: str) -> str | None:
    """The cached HTML; None if it is missing or its signature is invalid."""
    value = quiet_cache.get(key)
    try:
        return Signer(salt=key).unsign(value) if isinstance(value, str) else None
    except BadSignature:
        return None


def _store(key: str, html: str, seconds: int) -> None:
    quiet_cache.put(key, Signer(salt=key).sign(html), seconds)
