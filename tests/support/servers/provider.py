"""A fake of GitHub and ORCID on loopback, because tests cannot reach the real ones.

It implements their OAuth 2 (authorize, token, user record), checks what the portal sends, and signs
in the account that the test has set as `person`.
"""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

CLIENT, SECRET = "a-client", "a-client-secret"


@dataclass
class Provider:
    """The running fake; tests set who signs in, and inspect the requests."""

    url: str
    #: The response of `/user` or the ORCID record, and that of GitHub's `/user/emails`.
    person: dict[str, Any] = field(default_factory=dict)
    emails: list[dict[str, Any]] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    asked: list[dict[str, str]] = field(default_factory=list)
    down: bool = False


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path.endswith("/oauth/authorize"):
                self._authorize(dict(parse_qsl(parts.query)))
            elif parts.path.endswith("/user/emails"):
                self._send_json(provider.emails)
            else:
                self._send_json(provider.person)

        def do_POST(self) -> None:
            sent = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            known = sent.get("code", "") in provider.codes and sent.get("client_secret") == SECRET
            if provider.down or not known:
                return self._send_json({"error": "invalid_grant"}, 400)
            provider.codes.discard(sent["code"])
            self._send_json(
                {"access_token": "t", "token_type": "bearer", "orcid": "0000-0002-1825-0097"}
            )

        def _authorize(self, asked: dict[str, str]) -> None:
            provider.asked.append(asked)
            code = secrets.token_hex(8)
            provider.codes.add(code)
            back = urlencode({"code": code, "state": asked["state"]})
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{back}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send_json(self, content: Any, status: int = 200) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return None

    return Handler


@contextmanager
def provider() -> Iterator[Provider]:
    running = Provider("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(running))
    running.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
