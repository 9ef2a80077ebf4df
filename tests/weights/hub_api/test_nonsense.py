"""The portal responds briefly to anything that a stranger sends to the Hub's routes and to links.

Requests are built like gunicorn's, so that bytes that no client library sends reach the
views.
"""

import io
import json
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

import pytest
from django.test import RequestFactory
from django.test.client import ClientHandler
from hypothesis import example, given
from hypothesis import strategies as st
from pytest_django import Settings

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.http.fuzzing import examples
from weights.delivery import links

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

SECRET = b"gated bytes that no stranger may read " * 8
NASTY = [
    *(b"", b".", b"..", b"%", b"%2F", b"%2f..%2f", b"%252F", b"\x00", b"%00", b"\x7f", b"\r\n"),
    *(b"\\", b"a\\b", b"*", b"?", b"#", b";", b":", b"@", b"~", b"^", b"'", b'"', b"<script>"),
    *(b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"),
    *("é".encode(), "e\u0301".encode(), "ＡＣＭＥ".encode(), "\u202emain".encode()),
    *("\u2044".encode(), "\U0001f600".encode(), "ſ".encode(), "\ufeff".encode()),
    *(b"A" * 97, b"a" * 300, b"a" * 8000, b"0" * 40, b"F" * 40, b"9" * 30, b"-1"),
    *(b"main", b"refs/heads/main", b"refs%2Fheads%2Fmain", b"refs/pr/1", b"HEAD", b"main.lock"),
    *(b"acme", b"open", b"gated", b"ACME", b"config.json", b"model.safetensors", b"d", b"f"),
]
WORDS = st.sampled_from(NASTY) | st.binary(max_size=12)
TAILS = [
    *(b"resolve", b"tree", b"revision", b"paths-info", b"refs", b"commits", b"auth-check"),
    *(b"user-access-request", b"pending", b"handle", b"grant"),
]
VALUES = [
    *("", " ", "*", ",", ";", "=", '"', '""', 'W/""', '"\\"', "\t", "\x00", "\xff", "é", "None"),
    *("bytes=0-1", "bytes=-0", "bytes=1-0", "bytes=0-,-1", "bytes=,,,", "bytes=" + "0-1," * 400),
    *("bytes=99999999999999999999-", "bytes=1e3-", "bytes=\xb2-\xb3", "BYTES=0-1", "bytes 0-1"),
    *("Fri, 01 Jan 2100 00:00:00 GMT", "Fri, 99 Foo 0000 99:99:99 GMT", "-1", "9" * 400),
    *("Bearer", "Bearer ", "Bearer wb_", "Bearer hf_x", "bearer x", "Basic Og==", "Bearer a, b"),
    *("Bearer wb_" + "0" * 46, "Bearer \xff", "x" * 5000, "gzip;q=nan", "text/html", "*/*;q=1"),
    *("application/json", "multipart/form-data", "multipart/form-data; boundary=", "a/b;charset=x"),
    *("application/x-www-form-urlencoded; charset=nonsense", "application/json; charset=utf-7"),
]
HEADERS = [
    *("RANGE", "IF_RANGE", "IF_MATCH", "IF_NONE_MATCH", "IF_MODIFIED_SINCE"),
    *("IF_UNMODIFIED_SINCE", "AUTHORIZATION", "ACCEPT", "ACCEPT_ENCODING", "ACCEPT_LANGUAGE"),
    *("COOKIE", "X_FORWARDED_FOR", "X_REQUEST_ID", "USER_AGENT", "X_HTTP_METHOD_OVERRIDE"),
]
QUERIES = [
    *("cursor=-1", "cursor=" + "9" * 30, "expand=%FF", "limit=1e9", "e=1&k=&s=", "recursive=1"),
    *("q=%00", "q=%ED%A0%80", "tier=%00", "page=-1", "page=" + "9" * 30, "search=%00&sort=%00"),
]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get"]
BODIES = [
    *(b"", b"{}", b"[]", b"null", b"{", b"\xff", b'{"user": "\\ud800"}', b"[" * 5000),
    *(b"paths=config.json", b"paths=%FF&paths=%00", b"paths=" * 1500, b"&" * 3000),
    *(b'{"user": "x", "status": "accepted"}', b'{"status": 1e999}', b"--\r\n\r\n"),
]

addresses = st.one_of(
    st.tuples(WORDS, WORDS, st.sampled_from(TAILS), WORDS, WORDS).map(b"/".join),
    st.tuples(
        st.just(b"api/models"), WORDS, WORDS, st.sampled_from(TAILS), WORDS, WORDS, WORDS
    ).map(b"/".join),
    st.tuples(st.just(b"api/models/acme"), st.just(b"gated"), st.sampled_from(TAILS), WORDS).map(
        b"/".join
    ),
    st.tuples(st.just(b"acme"), st.just(b"open"), st.just(b"resolve"), WORDS, WORDS).map(b"/".join),
    st.just(b"acme/open/resolve/main/model.safetensors"),
    st.just(b"acme/gated/resolve/main/model.safetensors"),
    st.tuples(st.just(b"d"), WORDS, WORDS).map(b"/".join),
    st.tuples(st.just(b"d/LINK"), WORDS, WORDS).map(b"/".join),
    st.tuples(st.just(b"f"), WORDS, WORDS, WORDS, WORDS).map(b"/".join),
    st.tuples(st.just(b"api"), WORDS, WORDS, WORDS).map(b"/".join),
    st.tuples(st.just(b"acme/open"), st.sampled_from([b"tree", b"blob"]), WORDS, WORDS).map(
        b"/".join
    ),
    st.tuples(st.just(b"acme"), WORDS, st.sampled_from([b"tree", b"blob"]), WORDS, WORDS).map(
        b"/".join
    ),
    st.tuples(st.sampled_from([b"apply", b"licences", b"applications"]), WORDS, WORDS).map(
        b"/".join
    ),
    st.just(b"models"),
)


@pytest.fixture
def link(store: object, applicant: User, gated_tier: Tier, settings: Settings) -> bytes:
    """A genuine link's token, beside an open and a gated checkpoint."""
    settings.MIDDLEWARE = [
        one for one in settings.MIDDLEWARE if not one.endswith("RateLimitMiddleware")
    ]
    factories.published("acme/open")
    factories.published("acme/gated", gated_tier, files={"model.safetensors": SECRET})
    factories.grant(applicant, gated_tier)
    return links.issue_now(applicant, "acme/gated", 1).rstrip("/").rpartition("/")[2].encode()


def environ(method: str, address: bytes, query: str, body: bytes, **facts: str) -> dict[str, Any]:
    """The WSGI environ that gunicorn builds: the path decoded once, bytes as Latin-1."""
    made: dict[str, Any] = RequestFactory().get("/").environ
    made |= {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote_to_bytes(address).decode("latin-1"),
        "RAW_URI": quote_from_bytes(address, safe="/%") + (f"?{query}" if query else ""),
        "QUERY_STRING": query,
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
    }
    return made | facts


@pytest.mark.requirement("HT-6")
@example(method="GET", address=b"f/acme/open/sha/\x00", query="", headers={}, kind="", body=b"")
@examples(500)
@given(
    method=st.sampled_from(METHODS[:3] * 3 + METHODS),
    address=addresses,
    query=st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=20)
    | st.sampled_from(QUERIES),
    headers=st.dictionaries(st.sampled_from(HEADERS), st.sampled_from(VALUES), max_size=4),
    kind=st.sampled_from(VALUES),
    body=st.sampled_from(BODIES),
)
def test_nonsense_gets_a_short_refusal_and_never_a_server_error(
    link: bytes,
    method: str,
    address: bytes,
    query: str,
    headers: dict[str, str],
    kind: str,
    body: bytes,
) -> None:
    holds_link = b"LINK" in address
    address = b"/" + address.replace(b"LINK", link)
    facts = {f"HTTP_{name}": value for name, value in headers.items()}
    request_environ = environ(method, address, query, body, CONTENT_TYPE=kind, **facts)
    response = ClientHandler(enforce_csrf_checks=True)(request_environ)
    payload = b"".join(response)
    assert response.status_code < 500
    assert holds_link or SECRET[:20] not in payload
    if response.status_code >= 400:
        assert_short(response, payload, address)


def assert_short(response: Any, payload: bytes, address: bytes) -> None:
    """JSON with a code for scripts; elsewhere a page whose header has it."""
    if payload and response["Content-Type"].startswith(("application/json", "application/problem")):
        assert json.loads(payload)["code"]
        assert len(payload) < 20_000
    elif payload:
        assert response.status_code == 416 or response["X-Error-Code"] or response["X-Refusal-Code"]
    if unquote_to_bytes(address).startswith(b"/api/") and payload:
        assert "json" in response["Content-Type"]
