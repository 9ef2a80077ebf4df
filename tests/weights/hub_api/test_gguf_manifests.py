"""Pointers of LFS files and GGUF manifests, which RamaLama requests."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.one_database

FILES = {
    "README.md": b"# Quantised\n",
    "model-F16.gguf": b"GGUF f16",
    "model.Q4_K_M.gguf": b"GGUF q4_k_m",
    "model-Q8_0-00001-of-00002.gguf": b"GGUF q8 1",
    "model-Q8_0-00002-of-00002.gguf": b"GGUF q8 2",
    "mmproj-model-F16.gguf": b"GGUF mmproj",
}


@pytest.fixture
def quantised(db: None, store: Path) -> str:
    factories.published("acme/quantised", files=FILES)
    return "acme/quantised"


def manifest(client: Client, repo_id: str, tag: str, **headers: str) -> Any:
    """The request of RamaLama 0.23."""
    sent = {"User-agent": "llama-cpp", "Accept": "application/json", **headers}
    return client.get(f"/v2/{repo_id}/manifests/{tag}", headers=sent)


@pytest.mark.parametrize(
    ("tag", "path"),
    [
        ("latest", "model.Q4_K_M.gguf"),
        ("Q4_K_M", "model.Q4_K_M.gguf"),
        ("q4_k_m", "model.Q4_K_M.gguf"),
        ("F16", "model-F16.gguf"),
        ("Q8_0", "model-Q8_0-00001-of-00002.gguf"),
    ],
)
def test_a_tag_names_the_file_of_its_quantisation(
    client: Client, quantised: str, tag: str, path: str
) -> None:
    payload = manifest(client, quantised, tag).json()
    blob = f"sha256:{sha256(FILES[path]).hexdigest()}"
    assert payload["ggufFile"] == {"rfilename": path, "blobId": blob, "size": len(FILES[path])}
    assert payload["mmprojFile"]["rfilename"] == "mmproj-model-F16.gguf"


@pytest.mark.parametrize("tag", ["Q2_K", ".*", "K_M", "model", "%00"])
def test_an_unknown_tag_is_a_missing_entry(client: Client, quantised: str, tag: str) -> None:
    response = manifest(client, quantised, tag)
    assert (response.status_code, response["X-Error-Code"]) == (404, "EntryNotFound")


def test_a_checkpoint_without_gguf_files_has_no_manifest(
    client: Client, db: None, store: Path
) -> None:
    factories.published("acme/small", files={"model.bin": b"weights"})
    assert manifest(client, "acme/small", "latest")["X-Error-Code"] == "EntryNotFound"


def test_the_raw_address_gives_a_pointer_for_lfs_files(client: Client, quantised: str) -> None:
    content = FILES["model-F16.gguf"]
    response = client.get(f"/{quantised}/raw/main/model-F16.gguf")
    assert response.content.decode().splitlines() == [
        "version https://git-lfs.github.com/spec/v1",
        f"oid sha256:{sha256(content).hexdigest()}",
        f"size {len(content)}",
    ]
    tree = client.get(f"/api/models/{quantised}/tree/main").json()
    (entry,) = [one for one in tree if one["path"] == "model-F16.gguf"]
    assert response["ETag"] == f'"{entry["oid"]}"'
    assert len(response.content) == entry["lfs"]["pointerSize"]
    assert client.head(f"/{quantised}/raw/HEAD/model-F16.gguf").status_code == 200


def test_the_raw_address_gives_every_other_file(client: Client, quantised: str) -> None:
    response: Any = client.get(f"/{quantised}/raw/main/README.md")
    assert response.getvalue() == FILES["README.md"]
    absent = client.get(f"/{quantised}/raw/main/absent.md")
    assert (absent.status_code, absent["X-Error-Code"]) == (404, "EntryNotFound")


@pytest.mark.requirement("GT-1")
def test_both_are_refused_without_a_grant(
    client: Client, db: None, store: Path, gated_tier: Tier, applicant: User
) -> None:
    factories.published("acme/gated", gated_tier, FILES)
    token = {"Authorization": f"Bearer {factories.token(applicant, 'read-gated')}"}
    pointer = "/acme/gated/raw/main/model-F16.gguf"
    assert manifest(client, "acme/gated", "latest").status_code == 401
    assert client.get(pointer).status_code == 401
    assert manifest(client, "acme/gated", "latest", **token).status_code == 403
    assert client.get(pointer, headers=token).status_code == 403
    factories.grant(applicant, gated_tier)
    assert manifest(client, "acme/gated", "latest", **token).status_code == 200
    assert client.get(pointer, headers=token).status_code == 200
