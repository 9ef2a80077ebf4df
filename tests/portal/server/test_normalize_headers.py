"""No request header makes the portal fail, as generated requests and over real sockets."""

import io
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import RequestFactory
from hypothesis import example, given
from hypothesis import strategies as st

from portal.server.normalize_headers import HeaderNormalizer, normalize_content_type
from tests.support import factories
from tests.support.http.fuzzing import examples
from tests.support.servers.front import Front
from tests.support.servers.live import Portal

pytestmark = pytest.mark.one_database

CODECS = [
    *("rot13", "undefined", "base64", "zlib", "punycode", "idna", "utf-7", "hex", "bz2", "uu"),
    *("unicode_escape", "utf-16", "nosuch", "\x00", "..", "utf-8", "UTF8", "us-ascii", "latin-1"),
]
KINDS = ["text/plain", "application/json", "application/x-www-form-urlencoded", "", "a", "/", "é/b"]
PARAMETERS = st.one_of(
    st.sampled_from(CODECS).map("charset={}".format),
    st.sampled_from(CODECS).map('charset="{}"'.format),
    st.sampled_from(CODECS).map("x*={}''%41".format),
    st.sampled_from(CODECS).map("charset*={}''rot13".format),
    st.sampled_from(
        ["charset", "charset*0=rot", "charset*1=13", "=", '"', "boundary=é", "x*0*=''"]
    ),
    st.text(st.characters(max_codepoint=255), max_size=12),
)
TYPES = st.builds(
    lambda kind, parameters: ";".join([kind, *parameters]),
    st.sampled_from([*KINDS, "multipart/form-data; boundary=x"]),
    st.lists(PARAMETERS, max_size=3),
)
NAMES = [
    *("ACCEPT", "RANGE", "IF_RANGE", "IF_MATCH", "IF_NONE_MATCH", "IF_MODIFIED_SINCE", "COOKIE"),
    *("IF_UNMODIFIED_SINCE", "AUTHORIZATION", "X_FORWARDED_FOR", "X_FORWARDED_PROTO"),
    *("X_FORWARDED_HOST", "ACCEPT_LANGUAGE", "REFERER", "ORIGIN", "X_REQUESTED_WITH"),
]
VALUES = st.one_of(
    TYPES,
    st.text(st.characters(max_codepoint=255), max_size=30),
    st.sampled_from(
        ["bytes=0-", "Bearer \xff", "Basic e", "text/html; x*=nosuch''%41", "[::1", "a=\x80"]
    ),
)
PLACES = ["/", "/models", "/accounts/login/", "/api/v1/checkpoints", "/acme/open/resolve/main/x"]
BODIES = {
    "": b"x=%ff",
    "multipart": b"--x\r\nContent-Disposition: form-data; name*=nosuch''%41; name=\"a\"\r\n"
    b"Content-Type: text/plain; charset=rot13\r\n\r\nv\r\n--x--\r\n",
}


@pytest.fixture
def portal() -> Iterator[Callable[..., int]]:
    """The portal as its web server calls it, on the connection of this test."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    application = HeaderNormalizer(WSGIHandler())

    def ask(method: str, path: str, body: bytes, **facts: str) -> int:
        environ: dict[str, Any] = RequestFactory().get(path).environ
        environ |= {"REQUEST_METHOD": method, "QUERY_STRING": "x=1", **facts}
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        told: list[str] = []
        answer = application(environ, lambda status, headers: told.append(status))
        b"".join(answer)
        answer.close()  # type: ignore[attr-defined]
        return int(told[0].split()[0])

    yield ask
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.django_db
@pytest.mark.requirement("HT-6")
@examples(60)
@example("GET", "/", "", "text/plain; charset=rot13", {})
@example("GET", "/", "", "text/plain; x*=nosuch''%41", {})
@example("POST", "/accounts/login/", "multipart", 'multipart/form-data; boundary="x"', {})
@given(
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    place=st.sampled_from(PLACES),
    body=st.sampled_from(sorted(BODIES)),
    kind=TYPES,
    headers=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3),
)
def test_no_header_makes_the_portal_fail(
    portal: Callable[..., int],
    method: str,
    place: str,
    body: str,
    kind: str,
    headers: dict[str, str],
) -> None:
    facts = {f"HTTP_{name}": value for name, value in headers.items()}
    assert portal(method, place, BODIES[body], CONTENT_TYPE=kind, **facts) < 500


@pytest.mark.django_db
@pytest.mark.parametrize("charset", ["rot13", "undefined", "base64", "idna", "utf-16", "nosuch"])
def test_an_unsupported_charset_is_refused_with_an_explanation(
    portal: Callable[..., int], charset: str
) -> None:
    assert portal("GET", "/healthz", b"", CONTENT_TYPE=f"text/plain; charset={charset}") == 415
    assert portal("GET", "/healthz", b"", CONTENT_TYPE="text/plain; charset=UTF-8") == 200


@pytest.mark.parametrize(
    ("told", "plain"),
    [
        ("Application/JSON", ("application/json", "")),
        ("application/json; charset=utf-8", ("application/json; charset=utf-8", "")),
        ("text/plain;charset=\"UTF-8\";x*=nosuch''%41", ("text/plain; charset=UTF-8", "")),
        ("multipart/form-data; boundary=----a'b", ('multipart/form-data; boundary="----a\'b"', "")),
        ('multipart/form-data; boundary="a b"; q=1', ('multipart/form-data; boundary="a b"', "")),
        ("multipart/form-data; boundary=é", ("multipart/form-data", "")),
        ("text/plain; charset=rot13", ("text/plain", "rot13")),
        ("nonsense", ("", "")),
    ],
)
def test_only_the_parsed_part_of_a_content_type_remains(told: str, plain: tuple[str, str]) -> None:
    assert normalize_content_type(told) == plain


def _first_lines(url: str, *heads: str) -> list[str]:
    address = urlsplit(url)
    told = []
    for head in heads:
        with socket.create_connection((str(address.hostname), int(address.port or 0)), 20) as line:
            line.sendall(f"{head}\r\nConnection: close\r\n\r\n".encode())
            told.append(line.makefile("rb").readline().decode().split()[1])
    return told


@pytest.mark.needs("nginx")
@pytest.mark.django_db
def test_real_servers_refuse_unknown_hosts_and_long_names_briefly(
    store: object, start_front: Callable[..., Front]
) -> None:
    factories.published("acme/open")
    front = start_front()
    portal: Portal = front.portal
    ours = urlsplit(front.url).netloc
    for url in (portal.url, front.url):
        assert _first_lines(
            url,
            f"GET http://evil.example/api/v1/checkpoints HTTP/1.1\r\nHost: {ours}",
            f"GET http://{ours}/healthz HTTP/1.1\r\nHost: {ours}",
            "GET /api/v1/checkpoints HTTP/1.1\r\nHost: evil.example",
            f"GET /healthz HTTP/1.1\r\nHost: {ours}\r\nContent-Type: a/b; x*=nosuch''%41",
        ) == ["400", "200", "400", "200"]
    for url in (portal.url, front.url):
        assert _first_lines(
            url,
            f"GET /acme/open/resolve/main/{'%C3%A9' * 560} HTTP/1.1\r\nHost: {ours}",
            f"GET /api/v1/checkpoints/acme/{'a' * 3840} HTTP/1.1\r\nHost: {ours}",
        ) == ["404", "404"]
    lines = [line for line in portal.log("web").splitlines() if "evil.example" in line]
    assert len(lines) == 4
    assert "Traceback" not in portal.log("web"), portal.log("web")
