"""A running portal with published checkpoints, for clients of the Hub's API."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.support import factories
from tests.support.servers import live
from tests.support.servers.live import Portal
from weights.publishing.models import Revision
from weights.storage.folder_store import FileStorage

#: Large enough for many reads and for eight connections at once; its ends differ.
LARGE = bytes(range(251)) * 80_000
MODEL = {
    ".gitattributes": b"*.safetensors filter=lfs\n",
    "README.md": b"---\nlicense: other\ntags: [opt]\n---\n# A nested model\n",
    "config.json": b'{"model_type": "opt"}\n',
    "empty.txt": b"",
    "large.bin": LARGE,
    "nested/deep/er/weights.pt": b"\0" + b"weights" * 1000,
    "nested/index.json": b"[]\n",
    "unicode/\u00e9t\u00e9 \u732b #1 100%.txt": "un été\n".encode(),
}


@pytest.fixture(scope="session")
def _portal(_collected_static: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """One web server for all of these tests: they differ in rows, not in its settings."""
    folder = tmp_path_factory.mktemp("hub")
    FileStorage(folder / "blobs").create()
    with live.portal(folder, f"file://{folder}/blobs", worker=False, settings={}) as running:
        yield running


@pytest.fixture
def portal(transactional_db: None, _portal: Portal, settings: Settings) -> Portal:
    """A web server on this test's database; publishes into its store."""
    settings.WEIGHTS_STORAGE = _portal.environment["WEIGHTS_STORAGE"]
    settings.PUBLIC_URL = _portal.url
    return _portal


@pytest.fixture
def nested(portal: Portal) -> Revision:
    """An open checkpoint with folders in folders."""
    return factories.published("acme/nested", files=MODEL)
