"""Publishing with the Hub's JavaScript client in Node."""

import base64
import random
from pathlib import Path

import pytest

from accounts.users.models import User
from tests.support import factories
from tests.support.servers.live import Portal
from tests.weights.hub_api.test_javascript import calls
from weights.catalogue.models import Checkpoint
from weights.publishing.models import Revision

pytestmark = [pytest.mark.one_database, pytest.mark.needs("javascript")]

FILES = {
    "README.md": b"---\nlicense: other\n---\n# A model\n",
    "config.json": b"{}\n",
    "model.safetensors": factories.safetensors(random.Random(2).randbytes(20_000)),
}


def test_node_creates_uploads_deletes_and_is_refused(
    portal_server: Portal, owner: User, tmp_path: Path
) -> None:
    repo = {"repo": "lab/model"}
    files = [
        {"path": path, "base64": base64.b64encode(content).decode()}
        for path, content in FILES.items()
    ]
    created, again, uploaded, pull, deleted, missing, branch, gone = calls(
        portal_server,
        tmp_path,
        ("createRepo", repo),
        ("createRepo", repo),
        ("uploadFiles", {**repo, "files": files}),
        ("uploadFiles", {**repo, "files": files, "isPullRequest": True}),
        ("deleteFiles", {**repo, "paths": ["config.json"]}),
        ("deleteFiles", {**repo, "paths": ["config.json"]}),
        ("createBranch", {**repo, "branch": "next"}),
        ("deleteRepo", {"repo": "lab/absent"}),
        token=factories.token(owner, "write"),
    )
    assert created["value"]["repoUrl"] == f"{portal_server.url}/lab/model"
    assert (again["status"], missing["status"], gone["status"]) == (409, 404, 404)
    assert pull["status"] == 400
    assert "no pull requests" in pull["error"]
    assert branch == {"value": None}
    assert "value" in uploaded, uploaded
    first = Revision.objects.get(sha=uploaded["value"]["commit"]["oid"])
    assert set(first.files.values_list("path", flat=True)) == set(FILES)
    second = Revision.objects.get(sha=deleted["value"]["commit"]["oid"])
    assert set(second.files.values_list("path", flat=True)) == set(FILES) - {"config.json"}
    (erased,) = calls(
        portal_server, tmp_path, ("deleteRepo", repo), token=factories.token(owner, "write")
    )
    assert erased == {"value": None}
    assert not Checkpoint.objects.filter(org="lab").exists()
