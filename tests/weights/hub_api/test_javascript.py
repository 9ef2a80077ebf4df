"""The Hub's JavaScript clients in Node, against a running portal."""

import json
import os
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories, tools
from tests.support.servers.live import Portal
from tests.weights.hub_api.conftest import LARGE, MODEL
from weights.ledger.models import Download
from weights.publishing.models import Revision

pytestmark = [pytest.mark.one_database, pytest.mark.needs("javascript")]

SCRIPTS = Path(tools.__file__).parent / "javascript"


def run(script: str, portal: Portal, home: Path, **environment: str) -> Any:
    """The JSON in the last line that a script prints; Node finds packages from its folder."""
    with (SCRIPTS / script).open("rb") as stdin:
        done = subprocess.run(
            [str(tools.find("javascript")), "--input-type=module"],
            stdin=stdin,
            capture_output=True,
            timeout=120,
            check=False,
            cwd=tools.ENVIRONMENTS["javascript"],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "HUB_URL": portal.url,
                "HF_HOME": str(home),
                **environment,
            },
        )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout.splitlines()[-1])


def calls(portal: Portal, home: Path, *asked: tuple[str, dict[str, Any]], token: str = "") -> Any:
    return run("hub.mjs", portal, home, CALLS=json.dumps(asked), TOKEN=token)


def test_the_hub_client_reads_an_open_checkpoint(
    portal: Portal, nested: Revision, tmp_path: Path
) -> None:
    repo = {"repo": "acme/nested"}
    listed, head, downloaded, exists, absent, info = calls(
        portal,
        tmp_path,
        ("listFiles", {**repo, "recursive": True}),
        ("fileDownloadInfo", {**repo, "path": "large.bin"}),
        ("downloadFile", {**repo, "path": "large.bin"}),
        ("fileExists", {**repo, "path": "nested/index.json"}),
        ("fileExists", {**repo, "path": "absent.json"}),
        ("modelInfo", {"name": "acme/nested", "additionalFields": ["sha", "tags"]}),
    )
    files = {entry["path"]: entry["size"] for entry in listed["value"] if entry["type"] == "file"}
    assert files == {path: len(content) for path, content in MODEL.items()}
    assert head["value"]["size"] == len(LARGE)
    assert head["value"]["etag"] == f'"{sha256(LARGE).hexdigest()}"'
    assert downloaded["value"] == {"size": len(LARGE), "sha256": sha256(LARGE).hexdigest()}
    assert (exists["value"], absent["value"]) == (True, False)
    assert (info["value"]["name"], info["value"]["sha"]) == ("acme/nested", nested.sha)
    assert Download.objects.filter(path="large.bin").exists()


def test_the_hub_client_downloads_a_snapshot(portal: Portal, tmp_path: Path) -> None:
    files = {"a/b.bin": b"\0weights", "config.json": b"{}\n", "empty.txt": b""}
    revision = factories.published("acme/small", files=files)
    (snapshot,) = calls(portal, tmp_path, ("snapshotDownload", {"repo": "acme/small"}))
    assert snapshot["value"] == ["a", "a/b.bin", "config.json", "empty.txt"]
    (folder,) = tmp_path.rglob(f"snapshots/{revision.sha}")
    assert {path: (folder / path).read_bytes() for path in files} == files


def test_the_hub_client_reads_a_gated_checkpoint_with_a_token(
    portal: Portal, gated_tier: Tier, applicant: User, tmp_path: Path
) -> None:
    factories.published("acme/gated", gated_tier, {"w.bin": b"weights"})
    file = ("downloadFile", {"repo": "acme/gated", "path": "w.bin"})
    token = factories.token(applicant, "read-gated")
    (anonymous,) = calls(portal, tmp_path, file)
    assert (anonymous["status"], "error" in anonymous) == (401, True)
    name, refused = calls(portal, tmp_path, ("whoAmI", {}), file, token=token)
    assert name["value"]["name"] == applicant.username
    assert refused["status"] == 403
    assert "Apply at" in refused["error"]
    factories.grant(applicant, gated_tier)
    (opened,) = calls(portal, tmp_path, file, token=token)
    assert opened["value"]["sha256"] == sha256(b"weights").hexdigest()


def test_the_hub_client_shows_that_a_token_is_of_hugging_face(
    portal: Portal, nested: Revision, tmp_path: Path
) -> None:
    (answer,) = calls(portal, tmp_path, ("whoAmI", {}), token="hf_" + "a" * 34)
    assert answer["status"] == 401
    assert "This is a Hugging Face token; create one at" in answer["error"]


#: A tokenizer of whole words, in the format of the tokenizers library.
TOKENIZER: dict[str, Any] = {
    "version": "1.0",
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {
        "type": "BPE",
        "vocab": {"weigh": 0, "bridge": 1, "[UNK]": 2},
        "merges": [],
        "unk_token": "[UNK]",
        "ignore_merges": True,
    },
}
TINY = {
    "config.json": b'{"model_type": "opt"}',
    "tokenizer.json": json.dumps(TOKENIZER).encode(),
    "tokenizer_config.json": b'{"tokenizer_class": "PreTrainedTokenizerFast"}',
}


def test_transformers_js_loads_a_tokenizer(portal: Portal, tmp_path: Path) -> None:
    factories.published("acme/tiny", files=TINY)
    loaded = run("transformers.mjs", portal, tmp_path, REPOSITORY="acme/tiny")
    assert loaded["type"] == "opt"
    assert loaded["ids"] == [0, 1, 0]
