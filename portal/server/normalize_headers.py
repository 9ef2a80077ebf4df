"""The head of a request made plain before Django reads it, which fails over some of it.

Django decodes addresses by whatever codec a Content-Type names, and reads parameters by a
parser of mail that raises over unknown ones: both in the making of the request, where no
middleware could answer.
"""

import codecs
import re
from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

#: What bodies may be written in; all but the first are subsets of it, or what old tools send.
CHARSETS = {"utf-8", "ascii", "iso8859-1", "cp1252"}
#: Holds the name of a charset that is taken by no address. No header can have this name.
REFUSED_CHARSET = "weighbridge.refused_charset"

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110, section 5.6.2
_TYPE = re.compile(rf"\s*({_TOKEN}/{_TOKEN})\s*(?:;|$)", re.ASCII)
_PARAMETER = re.compile(
    rf';\s*(?P<name>{_TOKEN})\s*=\s*(?:"(?P<quoted>[^"\\]*)"|(?P<plain>[^;"\s]*))', re.ASCII
)
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")  # RFC 2046, 5.1.1
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")


class PlainHeads:
    """Give the application a Content-Type and a host of which it can think no evil."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        make_plain(environ)
        return self.application(environ, start_response)


def make_plain(environ: Environ) -> None:
    """Reduce the Content-Type to what is read of it, and take the host from the target."""
    if told := environ.get("CONTENT_TYPE"):
        environ["CONTENT_TYPE"], refused = plain_type(told)
        if refused:
            environ[REFUSED_CHARSET] = refused
    # RFC 9112, section 3.2.2: a target in absolute form says the host, not the header.
    if target := _ABSOLUTE.match(environ.get("RAW_URI", "")):
        environ["HTTP_HOST"] = target[1]


def plain_type(told: str) -> tuple[str, str]:
    """The media type with its boundary and charset alone, and a charset that is refused.

    All other parameters are left out, as is a type that is none.
    """
    found = _TYPE.match(told)
    if found is None:
        return "", ""
    kind, refused = found[1].lower(), ""
    for parameter in _PARAMETER.finditer(told, found.end(1)):
        name, value = parameter["name"].lower(), parameter["quoted"] or parameter["plain"] or ""
        if name == "boundary" and _BOUNDARY.fullmatch(value):
            kind += f'; boundary="{value}"'
        elif name == "charset" and value and not _is_known(value):
            refused = value[:40]
        elif name == "charset" and value:
            kind += f"; charset={value}"
    return kind, refused


def _is_known(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name in CHARSETS
    except (LookupError, ValueError):
        return False
