"""A hub on loopback from which tests mirror; a test can make it send wrong responses."""

import hashlib
import json
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import unquote

from weights.manifests import listing

COMMIT = "c0ffee" + "0" * 34
#: A model that publishes without findings.
FILES = {
    "README.md": b"---\nlicense: apache-2.0\n---\n# A model\n",
    "config.json": b'{"model_type": "opt"}\n',
    "nested/notes.txt": b"notes\n",
    "weights.bin.txt": b"weights " * 300_000,
}


class Received(NamedTuple):
    """The target and the headers of a request."""

    path: str
    headers: Message


class Request(BaseHTTPRequestHandler):
    """Handles a request; lies respond with these methods."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        hub = self.server.hub
        path = unquote(self.path.partition("?")[0])
        hub.requests.append(Received(self.path, self.headers))
        for start, lie in hub.lies.items():
            if path.startswith(start):
                return lie(self)
        return self.honest()

    def honest(self) -> None:
        hub = self.server.hub
        path, _, query = self.path.partition("?")
        parts = unquote(path).split("/")
        if parts[1:3] == ["api", "models"] and parts[5] == "revision":
            self.json({"id": hub.repo_id, "sha": hub.commit})
        elif parts[1:3] == ["api", "models"] and parts[5] == "tree":
            self.tree(int(query.rpartition("page=")[2] or 0) if "page=" in query else 0)
        else:
            self.file(hub.files["/".join(parts[5:])])

    def tree(self, number: int) -> None:
        hub = self.server.hub
        entries, size = hub.entries(), hub.page_size
        page = entries[number * size : (number + 1) * size]
        more = len(entries) > (number + 1) * size
        here = f"{hub.url}{self.path.partition('?')[0]}?recursive=true&page={number + 1}"
        self.json(page, **({"Link": f'<{here}>; rel="next"'} if more else {}))

    def file(self, content: bytes) -> None:
        start = int(re.sub(r"bytes=(\d+)-", r"\1", self.headers.get("Range", "bytes=0-")))
        ranged = f"bytes {start}-{len(content) - 1}/{len(content)}"
        status, extra = (206, {"Content-Range": ranged}) if start else (200, {})
        self.send(status, content[start:], **extra)

    def json(self, content: Any, **headers: str) -> None:
        self.send(200, json.dumps(content).encode(), **headers)

    def redirect(self, target: str) -> None:
        self.send(302, b"", Location=target)

    def send(self, status: int, body: bytes, **headers: str) -> None:
        """Send a response; `length` replaces Content-Length, and `_` in other names means `-`."""
        length = headers.pop("length", str(len(body)))
        self.send_response(status)
        self.send_header("Content-Length", length)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        if length != str(len(body)):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        return None


Lie = Callable[[Request], None]


@dataclass
class SourceHub:
    """A repository `lab/model` with one commit; `lies` respond to paths with these prefixes."""

    url: str = ""
    repo_id: str = "lab/model"
    commit: str = COMMIT
    page_size: int = 1000
    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    lies: dict[str, Lie] = field(default_factory=dict)
    requests: list[Received] = field(default_factory=list)

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return self.url.partition("://")[2]

    def entries(self) -> list[dict[str, Any]]:
        """The tree like the Hub's listing, folders first."""
        folders = {path.rpartition("/")[0] for path in self.files} - {""}
        return [
            *({"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders),
            *(entry(path, content) for path, content in self.files.items()),
        ]

    def lie_about(self, path: str, lie: Lie) -> None:
        """Respond to requests for this file with `lie`."""
        self.lies[f"/{self.repo_id}/resolve/{self.commit}/{path}"] = lie

    def requested(self, path: str) -> list[Received]:
        """The requests for this file."""
        return [
            one
            for one in self.requests
            if unquote(one.path).endswith(f"/resolve/{self.commit}/{path}")
        ]


def entry(path: str, content: bytes) -> dict[str, Any]:
    """The tree entry of a file, as LFS if it is larger than 1 MB."""
    size = len(content)
    if size <= 1_000_000:
        return {"type": "file", "path": path, "size": size, "oid": listing.git_blob_id(content)}
    sha256 = hashlib.sha256(content).hexdigest()
    pointer = listing.lfs_pointer(sha256, size)
    lfs = {"oid": sha256, "size": size, "pointerSize": len(pointer)}
    oid = listing.git_blob_id(pointer)
    return {"type": "file", "path": path, "size": size, "oid": oid, "lfs": lfs, "xetHash": "f" * 64}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    hub: SourceHub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do nothing: clients that refuse a body close the connection."""


@contextmanager
def source_hub(certificate: Path | None = None, **facts: Any) -> Iterator[SourceHub]:
    """A running hub, over TLS with a certificate."""
    server = Server(("127.0.0.1", 0), Request)
    scheme = "http"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    server.hub = SourceHub(f"{scheme}://127.0.0.1:{server.server_address[1]}", **facts)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
