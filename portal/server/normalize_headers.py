"""WSGI middleware that normalises Content-Type and Host before Django parses them.

Django decodes paths with the codec named in the Content-Type, and parses its parameters with a
parser of mail headers that raises for unknown codecs. Both happen while the request object is
created, when no Django middleware could respond.
"""

import codecs
import re
from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

#: Accepted charsets of bodies: UTF-8, its subset ASCII, and those that old tools send.
CHARSETS = {"utf-8", "ascii", "iso8859-1", "cp1252"}
#: The key of `environ` with the name of an unsupported charset; no header can have this name.
REFUSED_CHARSET = "weighbridge.refused_charset"

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110, section 5.6.2
_TYPE = re.compile(rf"\s*({_TOKEN}/{_TOKEN})\s*(?:;|$)", re.ASCII)
_PARAMETER = re.compile(
    rf';\s*(?P<name>{_TOKEN})\s*=\s*(?:"(?P<quoted>[^"\\]*)"|(?P<plain>[^;"\s]*))', re.ASCII
)
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")  # RFC 2046, 5.1.1
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")


class HeaderNormalizer:
    """Pass on only a Content-Type and a Host that Django parses without an error."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        normalize(environ)
        return self.application(environ, start_response)


def normalize(environ: Environ) -> None:
    """Reduce the Content-Type to its used parts; take the host from an absolute target."""
    if content_type := environ.get("CONTENT_TYPE"):
        environ["CONTENT_TYPE"], refused = normalize_content_type(content_type)
        if refused:
            environ[REFUSED_CHARSET] = refused
    # RFC 9112, section 3.2.2: the host of a target in absolute form overrides the header.
    if target := _ABSOLUTE.match(environ.get("RAW_URI", "")):
        environ["HTTP_HOST"] = target[1]


def normalize_content_type(header: str) -> tuple[str, str]:
    """The media type with only boundary and charset, and the unsupported charset, if any.

    Drops all other parameters; a malformed type becomes empty.
    """
    match = _TYPE.match(header)
    if match is None:
        return "", ""
    media_type, refused = match[1].lower(), ""
    for parameter in _PARAMETER.finditer(header, match.end(1)):
        name, value = parameter["name"].lower(), parameter["quoted"] or parameter["plain"] or ""
        if name == "boundary" and _BOUNDARY.fullmatch(value):
            media_type += f'; boundary="{value}"'
        elif name == "charset" and value and not _is_supported(value):
            refused = value[:40]
        elif name == "charset" and value:
            media_type += f"; charset={value}"
    return media_type, refused


def _is_supported(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name in CHARSETS
    except (LookupError, ValueError):
        return False
