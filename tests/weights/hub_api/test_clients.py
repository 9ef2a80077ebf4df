"""The Hub's own client against a running portal: downloads, errors, listings, file system."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import (
    HfApi,
    HfFileSystem,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    snapshot_download,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils._pagination import paginate

from accounts.grants import lifecycle
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.live import Portal
from tests.weights.hub_api.conftest import LARGE, MODEL
from weights.catalogue.file_facts import read_revision
from weights.ledger.models import Download
from weights.publishing.models import Ref, Revision

pytestmark = pytest.mark.one_database


def since(major: int) -> pytest.MarkDecorator:
    """Skips a test on older clients; `make test-clients` runs these tests with several versions."""
    lacks = int(huggingface_hub.__version__.partition(".")[0]) < major
    return pytest.mark.skipif(lacks, reason=f"huggingface_hub {major} brought it")


@pytest.fixture
def api(portal: Portal) -> HfApi:
    """The client, without a token."""
    return HfApi(endpoint=portal.url, token=False)


@pytest.fixture
def download(portal: Portal, tmp_path: Path) -> Callable[..., Path]:
    """One file by the client, always into an empty cache."""

    def one(repo_id: str, path: str, **facts: Any) -> Path:
        cache = tmp_path / f"cache-{factories.word()}"
        facts = {"token": False} | facts
        return Path(hf_hub_download(repo_id, path, endpoint=portal.url, cache_dir=cache, **facts))

    return one


@pytest.fixture
def gated(portal: Portal, gated_tier: Tier) -> Revision:
    return factories.published("acme/gated", gated_tier, {"w.bin": b"weights"})


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` by its path, without the client's own notes."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(".cache/"):
            found[name] = path.read_bytes()
    return found


# -- downloads -------------------------------------------------------------------------


def test_a_snapshot_with_eight_workers_is_the_checkpoint(
    portal: Portal, nested: Revision, tmp_path: Path
) -> None:
    folder = snapshot_download(
        "acme/nested",
        endpoint=portal.url,
        cache_dir=tmp_path / "cache",
        max_workers=8,
        token=False,
    )
    assert Path(folder).name == nested.sha
    assert contents(Path(folder)) == MODEL
    served = Download.objects.filter(outcome=Download.Outcome.SERVED)
    # The client makes empty files itself.
    assert set(served.values_list("path", flat=True)) == set(MODEL) - {"empty.txt"}


def test_a_second_snapshot_asks_for_no_file(
    portal: Portal, nested: Revision, tmp_path: Path
) -> None:
    facts: dict[str, Any] = {"endpoint": portal.url, "cache_dir": tmp_path, "token": False}
    snapshot_download("acme/nested", **facts)
    before = Download.objects.count()
    snapshot_download("acme/nested", **facts)
    assert Download.objects.count() == before


def test_one_file_lands_under_its_commit_and_tag(
    nested: Revision, download: Callable[..., Path]
) -> None:
    path = download("acme/nested", "large.bin")
    assert path.read_bytes() == LARGE
    assert path.parent.name == nested.sha
    assert path.resolve().name == nested.files.get(path="large.bin").etag


@pytest.mark.parametrize("name", ["feature/x", "refs/heads/feature/x"])
def test_a_revision_with_a_slash_is_found_everywhere(
    portal: Portal, nested: Revision, download: Callable[..., Path], api: HfApi, name: str
) -> None:
    branch = factories.published("acme/nested", files={"nested/a.txt": b"on the branch"})
    Ref.objects.filter(name="main").update(revision=nested)
    Ref.objects.create(checkpoint=branch.checkpoint, name="feature/x", revision=branch)
    got = download("acme/nested", "nested/a.txt", revision=name)
    assert got.read_bytes() == b"on the branch"
    assert api.model_info("acme/nested", revision=name).sha == branch.sha
    listed = api.list_repo_tree("acme/nested", "nested", revision=name)
    assert [entry.path for entry in listed] == ["nested/a.txt"]
    assert api.list_repo_commits("acme/nested", revision=name)[0].commit_id == branch.sha
    (info,) = api.get_paths_info("acme/nested", ["nested/a.txt"], revision=name)
    assert isinstance(info, RepoFile)
    assert info.size == 13


def test_the_command_line_downloads_a_whole_checkpoint(
    portal: Portal, nested: Revision, tmp_path: Path
) -> None:
    done = hf(portal, tmp_path, "download", "acme/nested", "--local-dir", str(tmp_path / "here"))
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "here") == MODEL


def test_the_command_line_downloads_one_file_and_names_the_user(
    portal: Portal, nested: Revision, tmp_path: Path, applicant: User
) -> None:
    token = factories.token(applicant)
    done = hf(portal, tmp_path, "download", "acme/nested", "config.json", token=token)
    assert Path(done.stdout.split()[-1]).read_bytes() == MODEL["config.json"]
    whoami = hf(portal, tmp_path, "auth", "whoami", token=token)
    assert "applicant" in whoami.stdout, whoami.stderr


@since(2)
def test_the_command_line_lists_files_and_shows_the_card(
    portal: Portal, nested: Revision, tmp_path: Path
) -> None:
    listed = hf(portal, tmp_path, "models", "ls", "acme/nested", "-R")
    assert "nested/deep/er/weights.pt" in listed.stdout, listed.stderr
    card = hf(portal, tmp_path, "models", "card", "acme/nested")
    assert "# A nested model" in card.stdout, card.stderr


@since(1)
def test_the_command_line_shows_sizes_without_downloading(
    portal: Portal, nested: Revision, tmp_path: Path
) -> None:
    done = hf(portal, tmp_path, "download", "acme/nested", "--dry-run", "--include", "*.bin")
    assert "20.1M" in done.stdout, done.stderr
    assert not Download.objects.filter(outcome=Download.Outcome.SERVED).exists()


def test_login_stores_the_token(
    portal: Portal, gated: Revision, gated_tier: Tier, applicant: User, tmp_path: Path
) -> None:
    factories.grant(applicant, gated_tier)
    token = factories.token(applicant, "read-gated")
    login = hf(portal, tmp_path, "auth", "login", "--token", token)
    assert login.returncode == 0, login.stderr
    done = hf(portal, tmp_path, "download", "acme/gated", "w.bin")
    assert Path(done.stdout.split()[-1]).read_bytes() == b"weights", done.stderr


@since(1)
def test_the_command_line_says_where_to_apply(
    portal: Portal, gated: Revision, tmp_path: Path
) -> None:
    done = hf(portal, tmp_path, "download", "acme/gated", "w.bin")
    assert done.returncode == 1
    # The tool wraps nothing and shows the server's own sentence only from this header.
    assert f"{portal.url}/apply/opt-175b/" in done.stdout + done.stderr


def test_a_token_of_another_hub_is_named_as_the_cause(
    portal: Portal, nested: Revision, tmp_path: Path
) -> None:
    done = hf(portal, tmp_path, "download", "acme/nested", "config.json", token="hf_" + "a" * 34)
    assert done.returncode == 1
    assert "Invalid credentials in Authorization header" in done.stdout + done.stderr


def hf(
    portal: Portal, home: Path, *arguments: str, token: str = ""
) -> subprocess.CompletedProcess[str]:
    """The `hf` tool with nothing but the two variables that a user sets."""
    program = Path(sys.executable).with_name("hf")
    environment = {
        "PATH": os.environ["PATH"],
        "HF_ENDPOINT": portal.url,
        "HF_HOME": str(home / "hf-home"),
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        **({"HF_TOKEN": token} if token else {}),
    }
    return subprocess.run(
        [str(program), *arguments],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# -- errors ----------------------------------------------------------------------------


def test_each_error_raises_the_clients_own_class(
    nested: Revision, download: Callable[..., Path]
) -> None:
    with pytest.raises(RepositoryNotFoundError) as unknown:
        download("acme/absent", "config.json")
    assert not isinstance(unknown.value, GatedRepoError)
    with pytest.raises(RevisionNotFoundError):
        download("acme/nested", "config.json", revision="absent")
    with pytest.raises(EntryNotFoundError):
        download("acme/nested", "absent.json")
    with pytest.raises(RepositoryNotFoundError):
        download("gpt2", "config.json")
    with pytest.raises(HfHubHTTPError, match="Invalid credentials in Authorization header"):
        download("acme/nested", "config.json", token="wb_" + "0" * 46)


def test_an_absent_file_is_remembered_with_its_commit(
    portal: Portal, nested: Revision, tmp_path: Path
) -> None:
    with pytest.raises(EntryNotFoundError):
        hf_hub_download(
            "acme/nested", "absent.json", endpoint=portal.url, cache_dir=tmp_path, token=False
        )
    assert list(tmp_path.rglob(f".no_exist/{nested.sha}/absent.json"))


def test_a_gated_file_needs_token_scope_and_grant(
    gated: Revision,
    gated_tier: Tier,
    applicant: User,
    download: Callable[..., Path],
) -> None:
    with pytest.raises(GatedRepoError, match=r"/apply/opt-175b/"):
        download("acme/gated", "w.bin")
    token = factories.token(applicant, "read-gated")
    with pytest.raises(GatedRepoError, match=r"/apply/opt-175b/"):
        download("acme/gated", "w.bin", token=token)
    grant = factories.grant(applicant, gated_tier)
    assert download("acme/gated", "w.bin", token=token).read_bytes() == b"weights"
    with pytest.raises(GatedRepoError, match="read-gated"):
        download("acme/gated", "w.bin", token=factories.token(applicant))
    lifecycle.revoke(grant, by=None, reason="misuse")
    with pytest.raises(GatedRepoError, match="revoked"):
        download("acme/gated", "w.bin", token=token)


def test_a_suspended_user_gets_no_connection_error(
    gated: Revision, gated_tier: Tier, applicant: User, download: Callable[..., Path]
) -> None:
    factories.grant(applicant, gated_tier)
    User.objects.update(suspended_at=gated.created_at)
    with pytest.raises(GatedRepoError, match="on hold"):
        download("acme/gated", "w.bin", token=factories.token(applicant, "read-gated"))


def test_the_gate_can_be_probed(
    portal: Portal, gated: Revision, nested: Revision, gated_tier: Tier, applicant: User
) -> None:
    probe = HfApi(endpoint=portal.url)
    probe.auth_check("acme/nested", token=False)
    with pytest.raises(GatedRepoError):
        probe.auth_check("acme/gated", token=False)
    token = factories.token(applicant, "read-gated")
    with pytest.raises(GatedRepoError):
        probe.auth_check("acme/gated", token=token)
    factories.grant(applicant, gated_tier)
    probe.auth_check("acme/gated", token=token)
    with pytest.raises(RepositoryNotFoundError):
        probe.auth_check("acme/absent", token=token)


def test_whoami_names_the_tokens_owner(api: HfApi, applicant: User) -> None:
    payload = api.whoami(token=factories.token(applicant, "write"))
    assert (payload["name"], payload["orgs"]) == ("applicant", [])
    assert payload["auth"]["accessToken"]["role"] == "write"
    # Old clients raise the error of their HTTP library.
    with pytest.raises(Exception, match="Invalid user token"):
        api.whoami(token="wb_" + "0" * 46)


# Runs in its own process: old clients read the endpoint only at import.
DECIDE = """
import sys
from huggingface_hub import HfApi
api, repo, user = HfApi(), *sys.argv[1:]
def where():
    lists = ["pending", "accepted", "rejected"]
    return [name for name in lists for one in getattr(api, f"list_{name}_access_requests")(repo)
            if one.username == user]
print(where())
api.accept_access_request(repo, user)
print(where())
api.reject_access_request(repo, user, rejection_reason="Left the project")
print(where())
api.grant_access(repo, user)
print(where())
api.cancel_access_request(repo, user)
print(where())
"""


def test_staff_decide_access_requests_by_the_client(
    portal: Portal, gated: Revision, gated_tier: Tier, applicant: User, lead_reviewer: User
) -> None:
    factories.submitted(applicant, gated_tier)
    environment = {
        "PATH": os.environ["PATH"],
        "HF_ENDPOINT": portal.url,
        "HF_TOKEN": factories.token(lead_reviewer, "admin"),
    }
    done = subprocess.run(
        [sys.executable, "-c", DECIDE, "acme/gated", applicant.username],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    expected = ["pending", "accepted", "rejected", "accepted", "pending"]
    assert done.stdout.splitlines() == [str([name]) for name in expected], done.stderr


# -- reading about ---------------------------------------------------------------------


def test_the_client_reads_everything_about_a_checkpoint(api: HfApi, nested: Revision) -> None:
    Ref.objects.create(
        checkpoint=nested.checkpoint, name="v1.0", kind=Ref.Kind.TAG, revision=nested
    )
    info = api.model_info("acme/nested", files_metadata=True)
    assert (info.sha, info.gated, info.private) == (nested.sha, False, False)
    assert info.last_modified is not None
    assert {sibling.rfilename: sibling.size for sibling in info.siblings or []} == {
        path: len(content) for path, content in MODEL.items()
    }
    assert info.tags == ["opt", "license:other"]
    assert set(api.list_repo_files("acme/nested")) == set(MODEL)
    assert api.repo_exists("acme/nested")
    assert api.revision_exists("acme/nested", "v1.0")
    assert not api.revision_exists("acme/nested", "v9")
    assert api.file_exists("acme/nested", "nested/index.json")
    assert not api.file_exists("acme/nested", "nested/absent")
    refs = api.list_repo_refs("acme/nested", include_pull_requests=True)
    assert [ref.name for ref in refs.branches] == ["main"]
    assert [ref.target_commit for ref in refs.tags] == [nested.sha]
    commits = api.list_repo_commits("acme/nested", formatted=True)
    assert [commit.commit_id for commit in commits] == [nested.sha]
    found = api.get_paths_info("acme/nested", ["nested", "large.bin", "absent"], expand=True)
    assert sorted(entry.path for entry in found) == ["large.bin", "nested"]
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree("acme/nested", "additional_chat_templates"))


@since(1)
def test_the_client_finds_models_page_by_page(api: HfApi, portal: Portal, tmp_path: Path) -> None:
    readme = b"---\ntags: [opt, small]\npipeline_tag: text-generation\n---\n"
    for number in range(3):
        read_revision(factories.published(f"acme/m{number}", files={"README.md": readme}))
    factories.published("other/plain", files={"a.txt": b"a"})
    found = api.list_models(author="acme", filter=["opt", "small"], full=True, cardData=True)
    assert {model.id for model in found} == {"acme/m0", "acme/m1", "acme/m2"}
    assert next(iter(api.list_models(search="plain"))).id == "other/plain"
    assert len(list(api.list_models(limit=2, sort="downloads"))) == 2
    walked = list(paginate(f"{portal.url}/api/models", {"limit": 1}, {}))
    assert len({model["id"] for model in walked}) == len(walked) == 4
    listed = hf(portal, tmp_path, "models", "ls", "--filter", "opt", "--format", "quiet")
    assert set(listed.stdout.split()) == {"acme/m0", "acme/m1", "acme/m2"}, listed.stderr


def test_metadata_of_a_file_equals_the_headers_of_a_head(portal: Portal, nested: Revision) -> None:
    url = hf_hub_url("acme/nested", "large.bin", endpoint=portal.url)
    payload = get_hf_file_metadata(url, endpoint=portal.url, token=False)
    file = nested.files.get(path="large.bin")
    assert (payload.commit_hash, payload.etag, payload.size) == (
        nested.sha,
        file.sha256,
        len(LARGE),
    )
    assert payload.xet_file_data is None


def test_a_long_listing_is_followed_to_its_end(api: HfApi, portal: Portal) -> None:
    names = [f"shards/{number:04}.pt" for number in range(120)]
    factories.published("acme/many", files=dict.fromkeys(names, b"\0pt"))
    listed = api.list_repo_tree("acme/many", recursive=True, expand=True)
    assert [entry.path for entry in listed] == ["shards", *names]


@since(1)
def test_hashes_of_a_download_agree_with_the_listing(
    portal: Portal, nested: Revision, tmp_path: Path
) -> None:
    downloaded = hf(portal, tmp_path, "download", "acme/nested")
    assert downloaded.returncode == 0, downloaded.stderr
    verified = hf(portal, tmp_path, "cache", "verify", "acme/nested")
    assert verified.returncode == 0, verified.stdout + verified.stderr


# -- the client's file system ----------------------------------------------------------


def test_the_file_system_lists_seeks_and_reads(portal: Portal, nested: Revision) -> None:
    system = HfFileSystem(endpoint=portal.url, token=False, skip_instance_cache=True)
    assert set(system.ls("acme/nested/nested", detail=False)) == {
        "acme/nested/nested/deep",
        "acme/nested/nested/index.json",
    }
    assert set(system.glob("acme/nested/**/*.pt")) == {"acme/nested/nested/deep/er/weights.pt"}
    assert system.info("acme/nested/large.bin")["size"] == len(LARGE)
    assert not system.exists("acme/nested/absent")  # type: ignore[no-untyped-call]
    with system.open("acme/nested/large.bin", "rb", block_size=4096) as file:
        file.seek(10_000_001)
        assert file.read(5000) == LARGE[10_000_001:10_005_001]
        file.seek(-7, os.SEEK_END)
        assert file.read() == LARGE[-7:]
        file.seek(0)
        assert file.read(3) == LARGE[:3]
    assert system.cat("acme/nested/config.json") == MODEL["config.json"]


def test_the_file_system_is_refused_at_the_gate(portal: Portal, gated: Revision) -> None:
    system = HfFileSystem(endpoint=portal.url, token=False, skip_instance_cache=True)
    assert system.ls("acme/gated", detail=False) == ["acme/gated/w.bin"]
    with (
        pytest.raises((GatedRepoError, PermissionError, HfHubHTTPError)),
        system.open("acme/gated/w.bin", "rb") as file,
    ):
        file.read()


def test_a_safetensors_header_is_read_without_the_weights(portal: Portal) -> None:
    header = b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    content = len(header).to_bytes(8, "little") + header + b"\0" * 8
    factories.published("acme/safe", files={"model.safetensors": content})
    payload = HfApi(endpoint=portal.url, token=False).get_safetensors_metadata("acme/safe")
    assert payload.parameter_count == {"F32": 2}
