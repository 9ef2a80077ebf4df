"""The pull-through cache for many nodes: deploy/pull-through/nginx.conf with portal and store."""

import os
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request

import pytest

from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories, tools
from tests.support.servers import services
from tests.support.servers.front import Front, ask, localised
from tests.support.servers.live import ROOT
from tests.support.servers.s3 import Store
from weights.ledger.models import Download
from weights.publishing.models import Revision
from weights.storage.protocol import blob_key

pytestmark = [
    pytest.mark.one_database,
    pytest.mark.needs("nginx"),
    pytest.mark.usefixtures("s3_store"),
]

CONF = ROOT / "deploy" / "pull-through" / "nginx.conf"
SLICE = 1 << 20
SLICES = 8
#: The last slice is shorter.
BIG = os.urandom(SLICE * (SLICES - 1) + 4321)
FILES = {"config.json": b"{}\n", "model-00001-of-00001.safetensors": BIG}
PATH = "/acme/gated/resolve/main/model-00001-of-00001.safetensors"


@dataclass
class PullThrough:
    """A running cache in front of `front`, the portal and its store behind nginx."""

    url: str
    front: Front
    log: Path

    def get(self, token: str, path: str = PATH, **headers: str) -> tuple[int, Any, bytes]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        return ask(Request(self.url + path, headers=names | bearer))

    def fetched(self) -> Counter[str]:
        """How often each object of the store was requested from it, by its hash."""
        line = re.compile(r'"GET \S*/([0-9a-f]{64}) ?\S*" (?:200|206)')
        return Counter(line.findall(self.front.log.read_text()))


@pytest.fixture
def cache(start_front: Callable[..., Front], tmp_path: Path) -> Iterator[PullThrough]:
    # 24 nodes ask at once, and a busy machine may take longer than 5 s for 16 connections.
    front = start_front(DATABASE_WAIT="60")
    folder = tmp_path / "pull-through"
    folder.mkdir()
    port = services.free_port()
    portal, store = urlsplit(front.url).netloc, urlsplit(front.store_url).netloc
    local_names = {
        "weights.example.org:443": portal,
        "weights.example.org": portal,
        "store.example.org:443": store,
        "store.example.org": store,
        "https://store.example.org": f"http://{store}",
        "https://portal": "http://portal",
        "https://store$": "http://store$",
        "listen 8080;": f"listen 127.0.0.1:{port} sndbuf=64k;",
        "/var/cache/weights": str(folder),
        "/tmp/": f"{folder}/",
        "slice 256m": f"slice {SLICE}",
    }
    conf = folder / "nginx.conf"
    conf.write_text(localised(CONF.read_text(), local_names))
    user = " user root;" if os.geteuid() == 0 else ""
    command = [str(tools.find("nginx")), "-c", str(conf), "-g", f"daemon off;{user}"]
    running = PullThrough(f"http://127.0.0.1:{port}", front, folder / "log")
    process = services.start(command, running.log)
    try:
        services.wait_until(lambda: _listens(port), "the cache")
        yield running
    finally:
        services.stop(process)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def revision(gated_tier: Tier) -> Revision:
    return factories.published("acme/gated", gated_tier, FILES)


@pytest.fixture
def grant(applicant: User, gated_tier: Tier) -> Grant:
    return factories.grant(applicant, gated_tier)


@pytest.fixture
def token(applicant: User, grant: Grant) -> str:
    return factories.token(applicant, "read-gated")


def test_many_nodes_fetch_each_byte_once_from_the_store(
    revision: Revision, token: str, cache: PullThrough
) -> None:
    with ThreadPoolExecutor(24) as nodes:
        answers = list(nodes.map(lambda _: cache.get(token), range(24)))
    assert {(status, body) for status, _, body in answers} == {(200, BIG)}
    file = revision.files.get(path=PATH.rpartition("/")[2])
    assert cache.fetched() == {file.sha256: SLICES}
    assert {headers["X-Repo-Commit"] for _, headers, _ in answers} == {revision.sha}
    rows = Download.objects.filter(path=file.path, outcome=Download.Outcome.REDIRECTED)
    assert rows.count() == 24 * SLICES, "the ledger has every node's every slice"


def test_bytes_in_the_cache_are_refused_to_a_caller_without_access(
    revision: Revision, token: str, other_person: User, cache: PullThrough
) -> None:
    assert cache.get(token)[0] == 200
    stranger = factories.token(other_person, "read-gated")
    for caller, expected in ((stranger, (403, "no_application")), ("", (401, "login_required"))):
        status, headers, body = cache.get(caller)
        assert (status, headers["X-Refusal-Code"]) == expected
        assert b"gated" in body
        assert BIG[:100] not in body
        assert cache.get(caller, Range="bytes=5-9")[0] == expected[0]
    wrong = cache.get("hf_wb" + "x" * 40)
    assert wrong[0] == 401


def test_a_revocation_ends_a_running_transfer_at_its_next_slice(
    revision: Revision, token: str, grant: Grant, cache: PullThrough
) -> None:
    assert cache.get(token)[0] == 200  # all of it is in the cache
    got = 0
    with socket.create_connection(("127.0.0.1", urlsplit(cache.url).port)) as node:
        node.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        request = f"GET {PATH} HTTP/1.1\r\nHost: cache\r\nAuthorization: Bearer {token}\r\n\r\n"
        node.sendall(request.encode())
        while got < SLICE // 2:
            got += len(node.recv(65536))
        lifecycle.revoke(grant, by=None, reason="over")
        before = got
        while part := node.recv(65536):
            got += len(part)
    # The rest of the slice, and one that was allowed while its end stood in nginx's buffers.
    assert got - before <= 2 * SLICE
    status, headers, _ = cache.get(token)
    assert (status, headers["X-Refusal-Code"]) == (403, "revoked")


def test_ranges_are_cut_from_the_slices(revision: Revision, token: str, cache: PullThrough) -> None:
    size = len(BIG)
    for asked, start, end in (
        ("bytes=0-0", 0, 1),
        (f"bytes={SLICE - 2}-{SLICE + 1}", SLICE - 2, SLICE + 2),
        (f"bytes={size - 3}-", size - 3, size),
        ("bytes=-17", size - 17, size),
    ):
        status, headers, body = cache.get(token, Range=asked)
        assert (status, body) == (206, BIG[start:end]), asked
        assert headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
    assert cache.get(token, Range=f"bytes={size}-")[0] == 416
    tag = cache.get(token, Range="bytes=0-0")[1]["ETag"]
    assert cache.get(token, If_None_Match=tag)[0] == 304
    assert cache.get(token, Range="bytes=0-3", If_Range='"other"')[::2] == (200, BIG)


def test_the_hubs_client_downloads_through_the_cache(
    revision: Revision, token: str, cache: PullThrough, tmp_path: Path
) -> None:
    for node in ("first", "second"):
        command = ["hf", "download", "acme/gated", "--local-dir", str(tmp_path / node)]
        done = subprocess.run(
            [str(Path(sys.executable).with_name("hf")), *command[1:]],
            env={
                **os.environ,
                "HF_ENDPOINT": cache.url,
                "HF_TOKEN": token,
                "HF_HOME": str(tmp_path / "home"),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert {name: (tmp_path / node / name).read_bytes() for name in FILES} == FILES
    assert sum(cache.fetched().values()) == SLICES + 1


def test_pages_and_sessions_do_not_pass(cache: PullThrough) -> None:
    for path in ("/", "/accounts/login/", "/admin/", "/d/token/x"):
        assert cache.get("", path)[0] == 404, path
    put = Request(cache.url + PATH, data=b"x", method="PUT")
    assert ask(put)[0] == 403


def test_a_further_page_of_a_list_is_named_at_the_cache(
    open_tier: Tier, cache: PullThrough
) -> None:
    for name in ("one", "two"):
        factories.published(f"acme/{name}", open_tier, {"config.json": b"{}\n"})
    status, headers, _ = cache.get("", "/api/models?limit=1")
    assert status == 200
    assert headers["Link"].startswith(f"<{cache.url}/api/models?")
    assert cache.get("", headers["Link"][1:].partition(">")[0].removeprefix(cache.url))[0] == 200


def test_an_object_that_the_store_does_not_give_is_a_503_that_clients_repeat(
    revision: Revision, token: str, cache: PullThrough, s3_store: str, s3_server: Store
) -> None:
    key = blob_key(revision.files.get(path="config.json").sha256)
    bucket, _, prefix = s3_store.removeprefix("s3://").partition("/")
    s3_server.client().delete_object(Bucket=bucket, Key=f"{prefix}/{key}")
    status, headers, body = cache.get(token, "/acme/gated/resolve/main/config.json")
    assert (status, headers["Retry-After"]) == (503, "10")
    assert b"Signature" not in body
    assert "X-Amz" not in cache.log.read_text()
