"""Publishing with the Hub's own clients, with and without hf_xet (`make test-clients`)."""

import random
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from accounts.change_requests.models import ChangeRequest
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.live import Portal
from tests.weights.hub_api.publishing.conftest import Publisher
from weights.catalogue.models import Checkpoint
from weights.publishing.drafts import publication
from weights.publishing.models import Revision

pytestmark = [
    pytest.mark.one_database,
    pytest.mark.parametrize("publisher", ["lfs", "xet"], indirect=True),
]

WriteFiles = Callable[[Mapping[str, bytes]], Path]
NOISE = random.Random(14).randbytes(3_000_000)
CARD = b"---\nlicense: mit\ntags: [opt]\n---\n# A model\n"
MODEL = {
    "README.md": CARD,
    "config.json": b'{"model_type": "opt"}\n',
    "empty.txt": b"",
    "model-00001-of-00002.safetensors": factories.safetensors(NOISE),
    "model-00002-of-00002.safetensors": factories.safetensors(NOISE[:1_000_000][::-1]),
    "nested/d\u00e9j\u00e0 vu #1.txt": "un \u00e9t\u00e9\n".encode(),
}

COMMITS = """
import json, sys
from huggingface_hub import (CommitOperationAdd as Add, CommitOperationCopy as Copy,
                             CommitOperationDelete as Delete, HfApi)
api, folder = HfApi(), sys.argv[1]
repo = api.create_repo("lab/model").repo_id
assert api.create_repo("lab/model", exist_ok=True).repo_id == repo
api.upload_folder(repo_id=repo, folder_path=folder)
first = api.model_info(repo).sha
api.upload_file(repo_id=repo, path_or_fileobj=b"one", path_in_repo="notes/one.txt")
weights = "model-00001-of-00002.safetensors"
made = api.create_commit(repo, [
    Add("added.txt", b"added"), Copy(weights, "copy.safetensors"), Copy("config.json", "c.json"),
    Delete("empty.txt"), Delete("nested/"),
], commit_message="Change", commit_description="In one step")
try:
    api.create_commit(repo, [Add("late.txt", b"late")], commit_message="Late", parent_commit=first)
except Exception as error:
    late = [error.response.status_code, str(error)]
files = sorted(api.list_repo_files(repo))
again = api.upload_folder(repo_id=repo, folder_path=folder, allow_patterns=["*.safetensors"])
print(json.dumps({"first": first, "made": made.oid, "files": files, "again": again.oid,
                  "late": late, "url": made.commit_url,
                  "private": api.model_info(repo).private}))
"""


def test_commits_by_the_library_are_one_draft_on_another(
    publisher: Publisher, portal_server: Portal, write_files: WriteFiles
) -> None:
    found = publisher.python(COMMITS, str(write_files(MODEL)))
    assert found["files"] == [
        *("README.md", "added.txt", "c.json", "config.json", "copy.safetensors"),
        *("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
        "notes/one.txt",
    ]
    assert found["again"] == found["made"], "an unchanged folder makes no commit"
    assert found["url"] == f"{portal_server.url}/lab/model/commit/{found['made']}"
    assert found["late"][0] == 412
    assert "has a newer commit" in found["late"][1] or "not at" in found["late"][1]
    assert found["private"]
    checkpoint = Checkpoint.objects.get(org="lab", name="model")
    assert checkpoint.tier.slug == "opt-175b", "the strictest tier of its maker"
    made = checkpoint.revisions.get(sha=found["made"])
    assert (made.state, made.title, made.explanation) == (
        Revision.State.DRAFT,
        "Change",
        "In one step",
    )
    by_path = {file.path: file for file in made.files.select_related("blob")}
    copied, source = by_path["copy.safetensors"], by_path["model-00001-of-00002.safetensors"]
    assert copied.blob_id == source.blob_id
    first = checkpoint.revisions.get(sha=found["first"])
    assert set(first.files.values_list("path", flat=True)) == set(MODEL)


def test_only_the_owner_sees_a_draft_and_everybody_the_published_one(
    publisher: Publisher,
    portal_server: Portal,
    write_files: WriteFiles,
    owner: User,
    other_person: User,
    open_tier: Tier,
    tmp_path: Path,
) -> None:
    done = publisher.hf("upload", "lab/model", str(write_files(MODEL)), ".")
    assert done.returncode == 0, done.stderr
    back = publisher.hf("download", "lab/model", "--local-dir", str(tmp_path / "back"))
    assert back.returncode == 0, back.stderr
    assert contents(tmp_path / "back") == MODEL
    stranger = HfApi(endpoint=portal_server.url, token=factories.token(other_person))
    owner_reads = HfApi(endpoint=portal_server.url, token=factories.token(owner, "read-gated"))
    for api in (stranger, owner_reads, HfApi(endpoint=portal_server.url, token=False)):
        with pytest.raises(RepositoryNotFoundError):
            api.model_info("lab/model")
    checkpoint = Checkpoint.objects.get(org="lab", name="model")
    Checkpoint.objects.update(tier=open_tier)
    draft = checkpoint.revisions.order_by("-pk").first()
    assert draft is not None
    assert publication.publish_draft(draft, by=owner) is None
    assert stranger.model_info("lab/model").sha == draft.sha
    assert set(stranger.list_repo_files("lab/model")) == set(MODEL)
    api = HfApi(endpoint=portal_server.url, token=False)
    one = api.hf_hub_download("lab/model", "config.json", cache_dir=tmp_path / "cache")
    assert Path(one).read_bytes() == MODEL["config.json"]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` by its path, without the client's own notes."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".cache" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_the_command_line_uploads_deletes_and_names_a_branch(
    publisher: Publisher, write_files: WriteFiles, tmp_path: Path
) -> None:
    folder = write_files(MODEL)
    for arguments in (
        ["lab/model", str(folder / "config.json"), "config.json"],
        ["lab/model", str(folder), "."],
        ["lab/model", str(folder / "README.md"), "other.md", "--revision", "feature/x"],
    ):
        done = publisher.hf("upload", *arguments)
        assert done.returncode == 0, done.stderr
    (folder / "config.json").write_bytes(b"{}")
    (folder / "empty.txt").unlink()
    done = publisher.hf("upload", "lab/model", str(folder), ".", "--delete", "empty.txt")
    assert done.returncode == 0, done.stderr
    revisions = Revision.objects.filter(checkpoint__name="model").order_by("pk")
    main = revisions.filter(branch="main").last()
    assert main is not None
    paths = set(main.files.values_list("path", flat=True))
    assert paths == set(MODEL) - {"empty.txt"}
    branch = revisions.filter(branch="feature/x").last()
    assert branch is not None
    assert set(branch.files.values_list("path", flat=True)) == {*MODEL, "other.md"}


def test_a_pull_request_is_refused_before_anything_is_sent(
    publisher: Publisher, write_files: WriteFiles
) -> None:
    done = publisher.hf("upload", "lab/model", str(write_files(MODEL)), ".", "--create-pr")
    assert done.returncode != 0
    assert "no pull requests" in done.stdout + done.stderr
    assert not Revision.objects.filter(files__path="config.json").exists()


SETTINGS = """
import json, sys
from huggingface_hub import HfApi
api, repo, folder = HfApi(), "lab/model", sys.argv[1]
def refused(act, *arguments, **options):
    try:
        act(*arguments, **options)
    except Exception as error:
        return [getattr(getattr(error, "response", None), "status_code", 0), str(error)]
    return [200, ""]
api.create_repo(repo)
api.upload_folder(repo_id=repo, folder_path=folder)
api.create_tag(repo, tag="v1", tag_message="The first")
api.create_tag(repo, tag="v1", exist_ok=True)
api.create_branch(repo, branch="next")
api.create_branch(repo, branch="next", exist_ok=True)
refs = api.list_repo_refs(repo)
found = {
    "tags": [ref.name for ref in refs.tags], "branches": sorted(r.name for r in refs.branches),
    "tag again": refused(api.create_tag, repo, tag="v1"),
    "no such revision": refused(api.create_tag, repo, tag="v2", revision="absent"),
    "branch again": refused(api.create_branch, repo, branch="next"),
    "lowered": refused(api.update_repo_settings, repo, gated=False),
    "opened": refused(api.update_repo_settings, repo, private=False),
    "squashed": refused(api.super_squash_history, repo),
    "lfs files": refused(lambda: list(api.list_lfs_files(repo))),
}
api.delete_tag(repo, tag="v1")
api.delete_branch(repo, branch="next")
refs = api.list_repo_refs(repo)
found["left"] = [ref.name for ref in [*refs.tags, *refs.branches]]
api.delete_repo(repo)
found["deleted"] = refused(api.delete_repo, repo)
api.delete_repo(repo, missing_ok=True)
print(json.dumps(found))
"""


def test_settings_refs_and_deletion_by_the_library(
    publisher: Publisher, portal_server: Portal, write_files: WriteFiles
) -> None:
    found = publisher.python(SETTINGS, str(write_files(MODEL)))
    assert found["tags"] == ["v1"]
    assert found["branches"] == ["main", "next"]
    assert found["left"] == ["main"]
    assert found["tag again"][0] == found["branch again"][0] == 409
    assert found["no such revision"][0] == 404
    lowered = ChangeRequest.objects.get()
    assert found["lowered"][0] == 403
    assert f"{portal_server.url}{lowered.path}" in found["lowered"][1]
    assert found["opened"][0] == 409
    assert "publish it instead" in found["opened"][1]
    assert found["squashed"][0] == found["lfs files"][0] == 400
    assert found["deleted"][0] == 404
    assert not Checkpoint.objects.filter(org="lab", name="model").exists()


@pytest.mark.requirement("IN-16")
def test_a_client_that_is_killed_leaves_no_half_revision_and_continues(
    publisher: Publisher, write_files: WriteFiles
) -> None:
    folder = write_files(MODEL)
    upload = [str(Path(sys.executable).with_name("hf")), "upload", "lab/model", str(folder), "."]
    whole, empty = set(MODEL), set[str]()
    for seconds in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0):
        client = publisher.start(*upload)
        try:
            client.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            client.kill()
            client.communicate()
        for revision in Revision.objects.filter(checkpoint__name="model"):
            assert set(revision.files.values_list("path", flat=True)) in (whole, empty)
    done = publisher.run(*upload)
    assert done.returncode == 0, done.stderr
    head = Revision.objects.filter(checkpoint__name="model").latest("pk")
    assert set(head.files.values_list("path", flat=True)) == whole
