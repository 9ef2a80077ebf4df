"""In a real browser, pages of another origin can read only open checkpoints."""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from accounts.tiers.models import Tier
from tests.support import factories, tools
from tests.support.servers import s3
from tests.support.servers.live import Portal
from tests.weights.hub_api.test_javascript import TINY

pytestmark = [pytest.mark.browser, pytest.mark.one_database, pytest.mark.needs("javascript")]

PACKAGES = tools.ENVIRONMENTS["javascript"] / "node_modules"
TOKENIZE = """async ([remoteHost, repository]) => {
  const { AutoConfig, AutoTokenizer, env } = await import("@huggingface/transformers");
  Object.assign(env, { remoteHost, allowLocalModels: false, useBrowserCache: false });
  const config = await AutoConfig.from_pretrained(repository);
  const tokenizer = await AutoTokenizer.from_pretrained(repository);
  return [config.model_type, tokenizer.encode("weigh bridge weigh")];
}"""
DOWNLOAD = """async ([hubUrl, repo, path]) => {
  const hub = await import("@huggingface/hub");
  const listed = [];
  for await (const entry of hub.listFiles({ hubUrl, repo })) listed.push(entry.path);
  const blob = await hub.downloadFile({ hubUrl, repo, path });
  const info = await hub.modelInfo({ hubUrl, name: repo });
  return [listed, await blob.text(), info.name, await hub.fileExists({ hubUrl, repo, path })];
}"""
#: A page that finds the packages by the names that the clients import.
IMPORTS = {
    "@huggingface/transformers": "/@huggingface/transformers/dist/transformers.min.js",
    "@huggingface/hub": "/@huggingface/hub/dist/browser/index.mjs",
    "@huggingface/xetchunk-wasm": "/@huggingface/xetchunk-wasm/dist/esm/index.js",
    "@huggingface/blake3-jit": "/@huggingface/blake3-jit/dist/esm/index.js",
    "gearhash-jit": "/gearhash-jit/dist/esm/index.js",
}
PAGE = f'<script type="importmap">{json.dumps({"imports": IMPORTS})}</script>'
FETCH = """async ([address, options]) => {
  try {
    const response = await fetch(address, options);
    return [response.status, await response.text(), response.headers.get("X-Repo-Commit")];
  } catch (error) {
    return error.name;
  }
}"""


@pytest.fixture
def page(open_browser: Callable[..., BrowserContext]) -> Iterator[Page]:
    """A page of another origin than the portal's, which serves the clients' packages."""
    handler = partial(_Packages, directory=str(PACKAGES))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        opened = open_browser().new_page()
        opened.goto(f"http://127.0.0.1:{server.server_port}/")
        yield opened
        server.shutdown()


class _Packages(SimpleHTTPRequestHandler):
    extensions_map = {".js": "text/javascript", ".mjs": "text/javascript"}

    def do_GET(self) -> None:
        if self.path != "/":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE.encode())

    def log_message(self, *_arguments: Any) -> None:
        """Nothing."""


@pytest.fixture(params=["store", "s3_store"])
def portal(
    request: pytest.FixtureRequest, start_portal: Callable[..., Portal], settings: Any
) -> Portal:
    """A portal on files, and one whose bucket has the documented rules."""
    request.getfixturevalue(request.param)
    if request.param == "s3_store":
        store: s3.Store = request.getfixturevalue("s3_server")
        store.client().put_bucket_cors(Bucket=s3.BUCKET, CORSConfiguration=documented_rules())
    running = start_portal()
    settings.PUBLIC_URL = running.url
    return running


def documented_rules() -> Any:
    text = (Path(__file__).parents[2] / "docs/operating.md").read_text()
    found = re.search(r'```json\n(\{\n  "CORSRules".*?)```', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_transformers_js_loads_a_tokenizer_in_a_page(portal: Portal, page: Page) -> None:
    factories.published("acme/tiny", files=TINY)
    assert page.evaluate(TOKENIZE, [portal.url, "acme/tiny"]) == ["opt", [0, 1, 0]]


def test_the_hub_client_downloads_in_a_page(portal: Portal, page: Page) -> None:
    factories.published("acme/small", files={"a.bin": b"weights", "config.json": b"{}"})
    downloaded = page.evaluate(DOWNLOAD, [portal.url, "acme/small", "a.bin"])
    assert downloaded == [["a.bin", "config.json"], "weights", "acme/small", True]


def test_a_page_reads_parts_and_headers(portal: Portal, page: Page) -> None:
    revision = factories.published("acme/small", files={"a.bin": b"weights"})
    address = f"{portal.url}/acme/small/resolve/main/a.bin"
    part = page.evaluate(FETCH, [address, {"headers": {"Range": "bytes=0-0"}}])
    assert part == [206, "w", revision.sha]
    asked_first = {"headers": {"If-Range": '"x"', "Range": "bytes=2-"}}
    assert page.evaluate(FETCH, [address, asked_first])[0] in {200, 206}


def test_no_page_reads_a_gated_checkpoint_or_sends_credentials(
    portal: Portal, page: Page, gated_tier: Tier
) -> None:
    factories.published("acme/gated", gated_tier, {"a.bin": b"weights"})
    factories.published("acme/small", files={"a.bin": b"weights"})
    gated = f"{portal.url}/acme/gated/resolve/main/a.bin"
    small = f"{portal.url}/acme/small/resolve/main/a.bin"
    token = {"headers": {"Authorization": "Bearer x"}}
    for address, options in [
        (gated, {}),
        (gated, token),
        (f"{portal.url}/api/models/acme/gated", {}),
        (f"{portal.url}/api/models/acme/absent", {}),
        (small, token),
        (small, {"credentials": "include"}),
        (f"{portal.url}/acme/small", {}),
        (f"{portal.url}/api/v1/checkpoints", {}),
    ]:
        assert page.evaluate(FETCH, [address, options]) == "TypeError", (address, options)
