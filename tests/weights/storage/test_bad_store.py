"""A store that fails in every way except with a clear error: what waits for it, and how long.

The store is a fake on purpose: a real one cannot be made to hang, to trickle or to
break off at a given byte.
"""

import socketserver
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import cast

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.delivery import file_links
from weights.errors import StorageUnavailable
from weights.gate.caller import ANONYMOUS
from weights.ledger.models import Download
from weights.publishing.models import File
from weights.storage import blob_storage
from weights.storage.s3 import S3Storage

pytestmark = pytest.mark.one_database

SHA256 = "ab" * 32
#: What the store sends after it has read a request, before it hangs or breaks off.
FAILS = {
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    "503": b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n",
    "not HTTP": b"220 ready\r\n",
    "half": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf of it",
}
HANGS = {"silent": b"", "trickling": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"}


class _Answer(socketserver.BaseRequestHandler):
    server: "_Store"

    def handle(self) -> None:
        self.server.requests.append(self.request.recv(65536))
        self.request.sendall((FAILS | HANGS)[self.server.way])
        while self.server.way in HANGS and not self.server.closed.wait(0.5):
            if self.server.way == "trickling":
                try:
                    self.request.sendall(b"x")
                except OSError:
                    return


class _Store(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, way: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.way = way
        self.requests: list[bytes] = []
        self.closed = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def failing(way: str) -> Iterator[_Store]:
    """A store that fails in one way."""
    with _Store(way) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.closed.set()
        server.shutdown()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.slow
def test_however_the_store_fails_an_excerpt_ends_within_ten_seconds() -> None:
    def ask(address: str) -> float:
        store = S3Storage("weights", "", endpoint=address, public_endpoint=address)
        began = time.monotonic()
        with pytest.raises(StorageUnavailable):
            store.excerpt(SHA256, 1000)
        return time.monotonic() - began

    with ExitStack() as stores:
        addresses = [stores.enter_context(failing(way)).address for way in FAILS | HANGS]
        with ThreadPoolExecutor() as pool:
            spent = list(pool.map(ask, [*addresses, "http://127.0.0.1:1"]))
    assert max(spent) < 10, spent


@pytest.fixture
def dead_server() -> Iterator[_Store]:
    with failing("500") as server:
        yield server


@pytest.fixture
def dead_store(store: object, dead_server: _Store, open_tier: Tier, settings: Settings) -> File:
    """A file of a published checkpoint whose store stopped answering."""
    revision = factories.published("acme/small", open_tier)
    settings.S3_ENDPOINT_URL = settings.S3_PUBLIC_ENDPOINT_URL = dead_server.address
    settings.WEIGHTS_STORAGE = f"s3://weights/{factories.word()}"
    return revision.files.get(path="README.md")


@pytest.mark.slow
def test_pages_and_the_api_go_on_without_what_the_store_holds(
    client: Client, dead_store: File
) -> None:
    for address in (
        "/acme/small",
        "/acme/small/tree/main",
        "/acme/small/blob/main/README.md",
        "/api/models/acme/small",
    ):
        assert client.get(address).status_code == 200, address


def test_a_head_is_answered_and_a_get_sent_to_the_store_without_asking_it(
    client: Client, dead_store: File, dead_server: _Store
) -> None:
    address = "/acme/small/resolve/main/README.md"
    assert client.head(address).status_code == 200
    assert client.get(address).status_code == 302
    assert dead_server.requests == []


def test_without_a_signing_credential_every_route_is_503_with_retry_after(
    client: Client, dead_store: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = cast(S3Storage, blob_storage())
    # As boto3 behaves without credentials; it caches those of this process.
    monkeypatch.setattr(store.signer, "credentials", None)
    file_link = file_links.issue(ANONYMOUS, "acme/small", "main", "README.md")
    for address in ("/acme/small/resolve/main/README.md", file_link):
        got = client.get(address)
        assert (got.status_code, got["Retry-After"]) == (503, "10"), address
        assert got.json()["code"] == "storage_unavailable"
        assert "AWS" not in got.content.decode()
    assert not Download.objects.exists()


@pytest.fixture
def broken_folder(store: object, applicant: User, open_tier: Tier, settings: Settings) -> None:
    """The disk of a file store is gone."""
    factories.published("acme/small", open_tier)
    settings.WEIGHTS_STORAGE = "file:///dev/null/gone"


def test_a_missing_file_store_is_503_too(client: Client, broken_folder: None) -> None:
    for method in (client.get, client.head):
        got = method("/acme/small/resolve/main/README.md")
        assert (got.status_code, got["Retry-After"]) == (503, "10")
    assert client.get("/acme/small").status_code == 200
    assert client.get("/acme/small/blob/main/README.md").status_code == 200
