"""Chunked bodies over a real socket to a real server: read completely or refused with a message."""

import json
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.live import Portal

pytestmark = pytest.mark.one_database

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def chunked(body: bytes, size: int = 7) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def send(portal: Portal, path: str, kind: str, sent: bytes, token: str) -> tuple[int, bytes]:
    """Status and body of the answer to a POST whose chunks are `sent`, right or wrong."""
    address = urlsplit(portal.url)
    head = "\r\n".join(
        [
            f"POST {path} HTTP/1.1",
            f"Host: {address.netloc}",
            f"Content-Type: {kind}",
            f"Authorization: Bearer {token}",
            "Transfer-Encoding: chunked",
            "Connection: close",
        ]
    )
    with socket.create_connection((str(address.hostname), int(address.port or 0)), 20) as line:
        line.sendall(f"{head}\r\n\r\n".encode())
        try:
            line.sendall(sent)
        except OSError:
            pass  # refused before the end of the body
        line.shutdown(socket.SHUT_WR)
        answer = b"".join(_received(line))
    top, _, body = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), body


def _received(line: socket.socket) -> Iterable[bytes]:
    while True:
        try:
            piece = line.recv(65536)
        except ConnectionResetError:
            return
        if not piece:
            return
        yield piece


def test_a_chunked_body_is_read_like_any_other(
    store: Path, applicant: User, gated_tier: Tier, start_portal: Callable[..., Portal]
) -> None:
    factories.published("acme/open")
    portal, token = start_portal(), factories.token(applicant, "read-gated")

    def problem(sent: bytes, path: str = "/api/v1/links", kind: str = JSON) -> tuple[int, Any]:
        status, body = send(portal, path, kind, sent, token)
        return status, json.loads(body).get("code")

    asked = json.dumps({"repo": "acme/open"}).encode()
    status, body = send(portal, "/api/v1/links", JSON, chunked(asked), token)
    assert (status, json.loads(body)["repo"]) == (202, "acme/open")

    # A form of the Hub's client is sent the same way.
    paths = urlencode({"paths": "config.json"}).encode()
    status, body = send(
        portal, "/api/models/acme/open/paths-info/main", FORM, chunked(paths), token
    )
    assert (status, [one["path"] for one in json.loads(body)]) == (200, ["config.json"])

    # None at all is a body that is missing.
    assert problem(chunked(b"")) == (422, "invalid_request")
    # What is no chunk, or was cut off, is no body.
    assert problem(b"zz\r\nnonsense\r\n") == (400, "bad_request")
    assert problem(b"ff\r\n{") == (400, "bad_request")
    path = "/api/models/acme/open/paths-info/main"
    assert problem(b"zz\r\nnonsense\r\n", path, FORM) == (400, "bad_request")
    # Above the bound it is refused as any long body is.
    long = b'{"repo": "' + b"x" * 1024 * 1024 + b'"}'
    assert problem(chunked(long, 65536)) == (413, "body_too_large")
    assert "Traceback" not in portal.log("web")
