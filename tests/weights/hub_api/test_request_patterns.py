"""The requests of clients that tests do not run: llama.cpp, and hf-hub in Rust.

They come from the clients' source: `common/hf-cache.cpp` and `common/download.cpp` of llama.cpp
(2026), `src/api/sync.rs` and `src/api/tokio.rs` of hf-hub 0.4 and 0.5, and
`hf-hub/src/repository/download.rs` of 1.0.
"""

import http.client
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.live import Portal
from weights.publishing.models import File, Revision

pytestmark = [pytest.mark.one_database, pytest.mark.processes]

CONTENT = b"GGUF" + bytes(range(251)) * 40
FILES = {"model.Q4_K_M.gguf": CONTENT, "a/tokenizer.json": b"{}\n"}


def send(portal: Portal, method: str, path: str, **headers: str) -> Any:
    """One request with exactly these headers; redirects are not followed."""
    connection = http.client.HTTPConnection(urlsplit(portal.url).netloc, timeout=30)
    connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    response = connection.getresponse()
    response.content = response.read()  # type: ignore[attr-defined]
    connection.close()
    return response


@pytest.fixture
def quantised(portal: Portal, gated_tier: Tier) -> Revision:
    return factories.published("acme/quantised", gated_tier, FILES)


@pytest.fixture
def headers(applicant: User, gated_tier: Tier) -> dict[str, str]:
    """What llama.cpp sends. It drops a token of another form without a word."""
    factories.grant(applicant, gated_tier)
    token = factories.token(applicant, "read-gated")
    assert 37 <= len(token) <= 256
    assert re.fullmatch("hf_[A-Za-z0-9]+", token)
    return {"User_Agent": "llama-cpp/b9000", "Authorization": f"Bearer {token}"}


def test_llama_cpp_finds_the_commit_and_its_files(
    portal: Portal, quantised: Revision, headers: dict[str, str]
) -> None:
    asked = {**headers, "Accept": "application/json"}
    refs = send(portal, "GET", "/api/models/acme/quantised/refs", **asked)
    (branch,) = json.loads(refs.content)["branches"]
    assert (branch["name"], branch["targetCommit"]) == ("main", quantised.sha)
    path = f"/api/models/acme/quantised/tree/{quantised.sha}?recursive=true"
    tree = send(portal, "GET", path, **asked)
    assert (tree.status, tree.headers["Link"]) == (200, None)
    entries = [entry for entry in json.loads(tree.content) if entry["type"] == "file"]
    assert {entry["path"] for entry in entries} == set(FILES)
    for entry in entries:
        assert re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", entry.get("lfs", entry)["oid"])


def test_llama_cpp_downloads_and_resumes_a_file(
    portal: Portal, quantised: Revision, headers: dict[str, str]
) -> None:
    path = f"/acme/quantised/resolve/{quantised.sha}/model.Q4_K_M.gguf"
    head = send(portal, "HEAD", path, **headers)
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(CONTENT)))
    assert head.headers["Accept-Ranges"] == "bytes"
    assert head.headers["ETag"]
    whole = send(portal, "GET", path, **headers)
    assert (whole.status, whole.content) == (200, CONTENT)
    rest = send(portal, "GET", path, **headers, Range="bytes=5000-")
    assert (rest.status, rest.content) == (206, CONTENT[5000:])


def test_the_992_shards_of_a_checkpoint_are_one_page(portal: Portal) -> None:
    """llama.cpp reads no `Link`."""
    files = {f"part-{number:03}.gguf": b"GGUF%d" % number for number in range(992)}
    revision = factories.published("acme/many", files=files)
    tree = send(portal, "GET", f"/api/models/acme/many/tree/{revision.sha}?recursive=true")
    assert tree.headers["Link"] is None
    assert tree.content.count(b'"type":') == 992


def test_hf_hub_in_rust_reads_size_and_commit_from_the_first_byte(
    portal: Portal, quantised: Revision, headers: dict[str, str]
) -> None:
    path = "/acme/quantised/resolve/main/model.Q4_K_M.gguf"
    asked = {**headers, "User_Agent": "unknown/None; hf-hub/0.4.3; rust/unknown"}
    metadata = send(portal, "GET", path, **asked, Range="bytes=0-0")
    assert (metadata.status, metadata.headers["Location"]) == (206, None)
    assert metadata.headers["Content-Range"].split("/")[-1] == str(len(CONTENT))
    assert metadata.headers["X-Repo-Commit"] == quantised.sha
    assert (
        metadata.headers["ETag"].strip('"')
        == quantised.files.get(path=path.rsplit("/", 1)[1]).sha256
    )
    part = send(portal, "GET", path, **asked, Range="bytes=10-19")
    assert (part.status, part.content) == (206, CONTENT[10:20])


# -- hf-hub in Rust, with the files in a bucket ---------------------------------------------


class RustClient(NamedTuple):
    """hf-hub: it repeats its token at the portal, and never sends it to another host."""

    portal: Portal
    headers: dict[str, str]

    def get(self, path: str, asked: str = "") -> Any:
        """GET a range; follows the redirect to the bucket as reqwest and ureq do."""
        part = {"Range": asked} if asked else {}
        first = send(self.portal, "GET", path, **self.headers, **part)
        if first.status != 302:
            return first
        there = urlsplit(first.headers["Location"])
        assert there.netloc != urlsplit(self.portal.url).netloc
        bucket = Portal(f"{there.scheme}://{there.netloc}", {}, Path())
        return send(bucket, "GET", f"{there.path}?{there.query}", **part)

    def metadata(self, path: str) -> tuple[str, str, int]:
        """Commit, entity tag and size, as 0.x reads them from one byte."""
        first = send(self.portal, "GET", path, **self.headers, Range="bytes=0-0")
        assert first.status < 400
        etag = (first.headers["X-Linked-Etag"] or first.headers["ETag"]).replace('"', "")
        # A redirect would be followed with the token, which S3 refuses beside a signature.
        assert first.headers["Location"] is None
        size = int(first.headers["Content-Range"].split("/")[-1])
        return first.headers["X-Repo-Commit"], etag, size


LARGE = b"GGUF" + Random(5).randbytes(2_500_000)
#: Bytes of a range; the last one is shorter.
CHUNK = 400_000


@pytest.fixture
def rust(
    s3_store: str,
    start_portal: Callable[..., Portal],
    headers: dict[str, str],
    gated_tier: Tier,
) -> RustClient:
    factories.published("acme/quantised", gated_tier, {**FILES, "model.Q4_K_M.gguf": LARGE})
    return RustClient(start_portal(), {**headers, "User_Agent": "unknown/None; hf-hub/0.5.0"})


PATH = "/acme/quantised/resolve/main/model.Q4_K_M.gguf"


def test_hf_hub_in_rust_downloads_from_a_bucket_in_parallel_ranges(rust: RustClient) -> None:
    file = File.objects.get(path="model.Q4_K_M.gguf")
    assert rust.metadata(PATH) == (file.revision.sha, file.blob.sha256, len(LARGE))

    def chunk(start: int) -> bytes:
        # As the library has it, the last range ends behind the last byte.
        got = rust.get(PATH, f"bytes={start}-{min(start + CHUNK - 1, len(LARGE))}")
        assert got.status == 206
        end = min(start + CHUNK, len(LARGE)) - 1
        assert got.headers["Content-Range"] == f"bytes {start}-{end}/{len(LARGE)}"
        return bytes(got.content)

    with ThreadPoolExecutor(4) as threads:
        chunks = list(threads.map(chunk, range(0, len(LARGE), CHUNK)))
    assert b"".join(chunks) == LARGE


def test_hf_hub_in_rust_resumes_a_part_file_from_a_bucket(rust: RustClient, tmp_path: Path) -> None:
    part = tmp_path / "model.part"
    part.write_bytes(LARGE[:1_000_001])
    assert rust.metadata(PATH)[2] == len(LARGE)
    rest = rust.get(PATH, f"bytes={part.stat().st_size}-")
    assert rest.status == 206
    with part.open("ab") as file:
        file.write(rest.content)
    assert part.read_bytes() == LARGE


def test_hf_hub_1_0_in_rust_reads_the_head_of_a_redirect_and_downloads(rust: RustClient) -> None:
    file = File.objects.get(path="model.Q4_K_M.gguf")
    head = send(rust.portal, "HEAD", PATH, **rust.headers)
    assert head.status in {200, 302}
    etag = head.headers["X-Linked-Etag"] or head.headers["ETag"]
    assert etag.removeprefix("W/").strip('"') == file.blob.sha256
    assert head.headers["X-Repo-Commit"] == file.revision.sha
    assert head.headers["X-Linked-Size"] == str(len(LARGE))
    assert head.headers["X-Xet-Hash"] is None  # or it would ask for a Xet server
    assert rust.get(PATH).content == LARGE
    small = rust.get("/acme/quantised/resolve/main/a/tokenizer.json")
    assert (small.status, small.content) == (200, FILES["a/tokenizer.json"])
