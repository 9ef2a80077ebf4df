"""Trees, sizes, ids, pages and front matter as clients read them."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.publishing.models import File, Ref, Revision

FORM = "application/x-www-form-urlencoded"
NESTED = {
    ".gitattributes": b"*.bin filter=lfs\n",
    "README.md": b"# A nested one\n",
    "config.json": b"{}\n",
    "a/b/c/deep.txt": b"deep\n",
    "a/b.txt": b"b\n",
    "a.txt": b"a\n",
    "a-b/x.bin": b"\0weights",
    "unicode/\u00e9t\u00e9.txt": "été\n".encode(),
}


@pytest.fixture
def nested(db: None, store: Path) -> Revision:
    """An open checkpoint with folders in folders."""
    return factories.published("acme/nested", files=NESTED)


@pytest.fixture
def many(db: None, store: Path) -> Revision:
    """The 992 shards of OPT-175B, three bytes each; as rows, since they share one blob."""
    first, *others = [
        f"checkpoint_last-model_part-{part}-shard{shard}.pt"
        for part in range(8)
        for shard in range(124)
    ]
    revision = factories.published("acme/many", files={first: b"\0pt"})
    file = revision.files.get()
    File.objects.bulk_create(
        File(revision=revision, path=path, blob=file.blob, lfs=True, git_oid=file.git_oid)
        for path in others
    )
    return revision


def tree(client: Client, rest: str, repo_id: str = "acme/nested") -> list[dict[str, object]]:
    response = client.get(f"/api/models/{repo_id}/tree/main{rest}")
    assert response.status_code == 200
    return list(response.json())


def paths(entries: list[dict[str, object]]) -> list[object]:
    return [entry["path"] for entry in entries]


# -- trees -----------------------------------------------------------------------------


def test_a_folder_lists_what_it_holds_at_once(client: Client, nested: Revision) -> None:
    top = tree(client, "")
    assert paths(top) == sorted(
        [".gitattributes", "README.md", "a", "a-b", "a.txt", "config.json", "unicode"]
    )
    kinds = {entry["path"]: entry["type"] for entry in top}
    assert (kinds["a"], kinds["a.txt"]) == ("directory", "file")
    assert paths(tree(client, "/a")) == ["a/b", "a/b.txt"]
    assert paths(tree(client, "/a%2Fb")) == paths(tree(client, "/a/b")) == ["a/b/c"]


def test_a_recursive_listing_holds_folders_and_files(client: Client, nested: Revision) -> None:
    folders = {"a", "a/b", "a/b/c", "a-b", "unicode"}
    assert set(paths(tree(client, "?recursive=true"))) == folders | set(NESTED)
    assert paths(tree(client, "/a?recursive=true")) == [
        "a/b",
        "a/b.txt",
        "a/b/c",
        "a/b/c/deep.txt",
    ]


def test_ids_are_those_that_git_gives(client: Client, nested: Revision, tmp_path: Path) -> None:
    payload = {entry["path"]: entry["oid"] for entry in tree(client, "?recursive=true")}
    repository = tmp_path / "repository"
    for path, content in NESTED.items():
        target = repository / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # git stores a pointer for files that the Hub's tree marks LFS.
        target.write_bytes(_pointer(content) if path.endswith(".bin") else content)
    (repository / ".git").unlink(missing_ok=True)
    git("init", "-q", ".", within=repository)
    git("add", "-A", within=repository)
    top = git("write-tree", within=repository)
    listed = git("ls-tree", "-r", "-t", "-z", top, within=repository)
    by_git = {line.split("\t")[1]: line.split()[2] for line in listed.split("\0") if line}
    assert payload == by_git


def _pointer(content: bytes) -> bytes:
    digest = hashlib.sha256(content).hexdigest()
    head = "version https://git-lfs.github.com/spec/v1"
    return f"{head}\noid sha256:{digest}\nsize {len(content)}\n".encode()


def git(*arguments: str, within: Path) -> str:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(within), "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *arguments],
        cwd=within,
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.strip()


def test_large_files_show_their_hash_and_pointer(client: Client, nested: Revision) -> None:
    entry = tree(client, "/a-b")[0]
    content = NESTED["a-b/x.bin"]
    assert entry["size"] == len(content)
    assert entry["lfs"] == {
        "oid": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "pointerSize": len(_pointer(content)),
    }
    assert "lfs" not in tree(client, "/a/b/c")[0]
    assert not {"xetHash"} & set(entry)


def test_a_long_listing_comes_in_pages_that_name_the_commit(
    client: Client, many: Revision, settings: Settings
) -> None:
    url, listed, sizes = "/api/models/acme/many/tree/main?recursive=true&expand=true", [], []
    while url:
        response = client.get(url)
        page = response.json()
        listed += paths(page)
        sizes.append(len(page))
        link = response.headers.get("Link", "")
        url = link.removeprefix("<").removesuffix('>; rel="next"')
        if url:
            assert url.startswith(f"{settings.PUBLIC_URL}/api/models/acme/many/tree/{many.sha}?")
            url = url.removeprefix(settings.PUBLIC_URL)
    assert listed == sorted(file.path for file in many.files.all())
    assert sizes == [50] * 19 + [42]


def test_a_page_holds_a_thousand_without_expand(client: Client, many: Revision) -> None:
    assert len(tree(client, "?recursive=true", "acme/many")) == 992


@pytest.mark.parametrize("cursor", ["-1", "x", "9" * 30, "\u0663", ""])
def test_a_forged_cursor_is_harmless(client: Client, nested: Revision, cursor: str) -> None:
    response = client.get("/api/models/acme/nested/tree/main", {"cursor": cursor})
    assert response.status_code == 200


# -- paths -----------------------------------------------------------------------------


def test_paths_info_has_requested_paths_and_omits_unknown_ones(
    client: Client, nested: Revision
) -> None:
    response = client.post(
        "/api/models/acme/nested/paths-info/main",
        "paths=a&paths=nope&paths=a%2Fb.txt&paths=a&expand=false",
        content_type=FORM,
    )
    assert [(entry["type"], entry["path"]) for entry in response.json()] == [
        ("directory", "a"),
        ("file", "a/b.txt"),
    ]


def test_paths_info_takes_json_too(client: Client, nested: Revision) -> None:
    address = "/api/models/acme/nested/paths-info/HEAD"
    asked = {"paths": ["a", "nope", "/a/b.txt"], "expand": True}
    entries = client.post(address, asked, content_type="application/json").json()
    assert [entry["path"] for entry in entries] == ["a", "a/b.txt"]
    assert {entry["lastCommit"]["id"] for entry in entries} == {nested.sha}
    plain = client.post(address, {**asked, "expand": False}, content_type="application/json")
    assert all("lastCommit" not in entry for entry in plain.json())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[]", "invalid_value"),
        (b'{"paths": "a"}', "invalid_value"),
        (b'{"paths": [1]}', "invalid_value"),
        (b"{", "body_not_json"),
        (b'{"paths": ["\\ud800"]}', "body_not_utf8"),
        (b'{"paths": [%s""]}' % (b'"",' * 1000), "body_too_long"),
    ],
)
def test_paths_info_refuses_other_json(
    client: Client, nested: Revision, body: bytes, code: str
) -> None:
    address = "/api/models/acme/nested/paths-info/main"
    response = client.post(address, body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (400, code)


# -- the model -------------------------------------------------------------------------


def test_the_model_info_contains_files_and_dates(client: Client, nested: Revision) -> None:
    payload = client.get("/api/models/acme/nested").json()
    assert payload["id"] == payload["modelId"] == "acme/nested"
    assert payload["sha"] == nested.sha
    assert payload["siblings"] == [{"rfilename": path} for path in sorted(NESTED)]
    for name in ("lastModified", "createdAt"):
        assert payload[name].endswith("Z")
        assert "+" not in payload[name]
    assert payload["gated"] is False
    assert payload["usedStorage"] == sum(len(content) for content in NESTED.values())


def test_blobs_adds_sizes_and_hashes(client: Client, nested: Revision) -> None:
    payload = client.get("/api/models/acme/nested?blobs=true").json()
    by_name = {sibling["rfilename"]: sibling for sibling in payload["siblings"]}
    assert by_name["a.txt"]["size"] == 2
    assert len(by_name["a.txt"]["blobId"]) == 40
    assert set(by_name["a-b/x.bin"]["lfs"]) == {"sha256", "size", "pointerSize"}


@pytest.mark.parametrize(("mode", "gated"), [("reviewed", "manual"), ("click-through", "auto")])
def test_the_access_mode_is_named_as_the_hub_names_it(
    client: Client, store: Path, gated_tier: Tier, mode: str, gated: str
) -> None:
    gated_tier.mode = mode
    gated_tier.save()
    factories.published("acme/gated", gated_tier)
    assert client.get("/api/models/acme/gated").json()["gated"] == gated


def test_the_card_s_front_matter_becomes_data_and_tags(
    client: Client, db: None, store: Path
) -> None:
    card = (
        "---\nlicense: mit\nlanguage: [en, de]\ntags: [opt, synthetic]\nreleased: 2022-05-03\n"
        "pipeline_tag: text-generation\nlibrary_name: transformers\n---\n# Card\n"
    )
    factories.published("acme/carded", files={"README.md": card.encode()})
    payload = client.get("/api/models/acme/carded").json()
    assert payload["cardData"]["released"] == "2022-05-03"
    assert payload["pipeline_tag"] == "text-generation"
    assert payload["library_name"] == "transformers"
    expected = {"opt", "synthetic", "transformers", "text-generation", "en", "de", "license:mit"}
    assert set(payload["tags"]) == expected


@pytest.mark.parametrize(
    "card",
    [
        b"no front matter",
        b"---\nunfinished: [\n---\n",
        b"---\n- a list\n---\n",
        b"---\na: &a [x,x]\nb: [*a,*a]\n---\n",
        b"---\n" + b"[" * 5000 + b"\n---\n",
        b"---\nx: !!python/object/apply:os.system ['true']\n---\n",
        b"---\nx: .nan\ny: .inf\n? [1, 2]\n: z\n---\n",
        b"\xff\xfe---\nx: 1\n---\n",
    ],
)
def test_a_card_that_cannot_be_read_breaks_nothing(
    client: Client, db: None, store: Path, card: bytes
) -> None:
    factories.published("acme/odd", files={"README.md": card})
    response = client.get("/api/models/acme/odd")
    assert response.status_code == 200
    json.loads(response.content, parse_constant=pytest.fail)


# -- refs and commits ------------------------------------------------------------------


def test_refs_name_branches_and_tags_of_visible_revisions(client: Client, nested: Revision) -> None:
    checkpoint = nested.checkpoint
    Ref.objects.create(checkpoint=checkpoint, name="v1", kind=Ref.Kind.TAG, revision=nested)
    hidden = checkpoint.revisions.create(sha="f" * 40, manifest_sha256="0" * 64, parent=nested)
    Ref.objects.create(checkpoint=checkpoint, name="next", revision=hidden)
    payload = client.get("/api/models/acme/nested/refs?include_prs=1").json()
    assert payload == {
        "branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": nested.sha}],
        "tags": [{"name": "v1", "ref": "refs/tags/v1", "targetCommit": nested.sha}],
        "converts": [],
        "pullRequests": [],
    }


def test_commits_are_newest_first_without_hidden_ones(
    client: Client, nested: Revision, release_owner: User
) -> None:
    Revision.objects.filter(pk=nested.pk).update(
        message="Correct shard 7\n\nIt was cut short.", author=release_owner
    )
    second = factories.published("acme/nested", files={"a.txt": b"changed"})
    second.checkpoint.revisions.create(sha="f" * 40, manifest_sha256="0" * 64, parent=second)
    payload = client.get("/api/models/acme/nested/commits/main?expand[]=formatted").json()
    assert [one["id"] for one in payload] == [second.sha, nested.sha]
    assert payload[1]["title"] == "Correct shard 7"
    assert payload[1]["message"] == "It was cut short."
    assert payload[1]["authors"] == [{"user": "owner"}]
    assert payload[1]["formatted"]["title"] == "Correct shard 7"
    assert payload[1]["date"].endswith("Z")
    older = client.get(f"/api/models/acme/nested/commits/{nested.sha}").json()
    assert [one["id"] for one in older] == [nested.sha]


# -- revisions whose names hold a slash ------------------------------------------------


@pytest.fixture
def slashed(nested: Revision) -> Revision:
    """A second revision on the branch `feature/x`, beside `main` and a tag `feature`."""
    tagged = {"checkpoint": nested.checkpoint, "name": "feature", "kind": Ref.Kind.TAG}
    Ref.objects.create(revision=nested, **tagged)
    second = factories.published("acme/nested", files={"a/b.txt": b"on the branch\n"})
    Ref.objects.filter(checkpoint=nested.checkpoint, name="main").update(revision=nested)
    Ref.objects.create(checkpoint=nested.checkpoint, name="feature/x", revision=second)
    return second


def target(url: str, *, raw: bool) -> dict[str, Any]:
    """The raw request target, which gunicorn adds to the request and some servers do not."""
    return {"RAW_URI": url} if raw else {}


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("name", ["feature%2Fx", "refs%2Fheads%2Ffeature%2Fx", "feature%2fx"])
def test_an_encoded_slash_belongs_to_the_revision(
    client: Client, slashed: Revision, name: str, raw: bool
) -> None:
    url = f"/acme/nested/resolve/{name}/a/b.txt"
    response = client.get(url, **target(url, raw=raw))
    assert b"".join(response) == b"on the branch\n"
    url = f"/api/models/acme/nested/tree/{name}/a"
    listed = client.get(url, **target(url, raw=raw)).json()
    assert paths(listed) == ["a/b.txt"]


@pytest.mark.parametrize("raw", [True, False])
def test_a_plain_slash_is_understood_where_such_a_ref_exists(
    client: Client, slashed: Revision, raw: bool
) -> None:
    url = "/acme/nested/resolve/refs/heads/feature/x/a/b.txt"
    response = client.get(url, **target(url, raw=raw))
    assert b"".join(response) == b"on the branch\n"


def test_an_encoded_address_can_name_a_path_that_a_longer_ref_would_hide(
    client: Client, slashed: Revision
) -> None:
    url = "/acme/nested/resolve/feature/x/a/b.txt"
    assert client.get(url, RAW_URI=url)["X-Error-Code"] == "EntryNotFound"
    assert client.get(url).status_code == 200  # no raw target: the longest ref is taken


@pytest.mark.parametrize(
    "raw", ["/elsewhere", "http://other/acme/nested/resolve/main/a.txt", "*", "//x/y"]
)
def test_a_request_target_that_does_not_match_the_path_is_ignored(
    client: Client, nested: Revision, raw: str
) -> None:
    response = client.get("/acme/nested/resolve/main/a.txt", RAW_URI=raw)
    assert b"".join(response) == b"a\n"


# -- number of queries -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("rest", "queries"),
    [
        ("/tree/main?recursive=true", 4),
        ("", 4),
        ("/commits/main", 4),
        ("/refs", 2),
    ],
)
def test_a_page_of_metadata_costs_the_same_for_any_number_of_files(
    client: Client,
    many: Revision,
    nested: Revision,
    rest: str,
    queries: int,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for repo_id in ("acme/many", "acme/nested"):
        client.get(f"/api/models/{repo_id}{rest}")  # the first caller fills the cache
        with django_assert_max_num_queries(queries):
            assert client.get(f"/api/models/{repo_id}{rest}").status_code == 200


def test_a_listing_is_read_once(
    client: Client, many: Revision, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    tree(client, "?recursive=true", "acme/many")
    with django_assert_max_num_queries(3):
        tree(client, "?recursive=true", "acme/many")


def test_resolving_an_open_file_costs_a_fixed_number_of_queries(
    client: Client, many: Revision, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    url = "/acme/many/resolve/main/checkpoint_last-model_part-3-shard7.pt"
    with django_assert_max_num_queries(3):
        assert client.head(url, RAW_URI=url).status_code == 200
    with django_assert_max_num_queries(4):
        assert b"".join(client.get(url, RAW_URI=url)) == b"\0pt"
