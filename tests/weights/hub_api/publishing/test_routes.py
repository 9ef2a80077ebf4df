"""The write routes with plain and hostile requests, and what an owner reads of a draft."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.roles.permissions import Role
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.catalogue.models import Checkpoint
from weights.errors import CommitRefused
from weights.hub_api.publishing import checks
from weights.publishing.drafts import checkpoints
from weights.publishing.models import File, Revision
from weights.storage.models import Blob
from weights.uploads import services as uploads
from weights.uploads.models import Upload

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

REPO = "lab/model"
#: Every write route with a body that an owner's request would carry.
ROUTES: dict[str, tuple[str, str, Any]] = {
    "create": ("POST", "/api/repos/create", {"organization": "lab", "name": "other"}),
    "delete": ("DELETE", "/api/repos/delete", {"organization": "lab", "name": "model"}),
    "move": ("POST", "/api/repos/move", {"fromRepo": REPO, "toRepo": "lab/moved"}),
    "settings": ("PUT", f"/api/models/{REPO}/settings", {"gated": "manual"}),
    "preupload": ("POST", f"/api/models/{REPO}/preupload/main", {"files": []}),
    "commit": ("POST", f"/api/models/{REPO}/commit/main", [{"key": "header", "value": {}}]),
    "branch": ("POST", f"/api/models/{REPO}/branch/next", {}),
    "branch deletion": ("DELETE", f"/api/models/{REPO}/branch/next", {}),
    "tag": ("POST", f"/api/models/{REPO}/tag/main", {"tag": "v1"}),
    "tag deletion": ("DELETE", f"/api/models/{REPO}/tag/v1", {}),
    "squash": ("POST", f"/api/models/{REPO}/super-squash/main", {}),
    "lfs files": ("GET", f"/api/models/{REPO}/lfs-files", {}),
    "write check": ("GET", f"/api/models/{REPO}/auth-check/write", {}),
}
Send = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    # No worker checks the files here.
    monkeypatch.setattr(checks, "MOST_SECONDS", 0)


@pytest.fixture
def owner(gated_tier: Tier, open_tier: Tier, release_owner: User) -> User:
    return release_owner


@pytest.fixture
def draft(owner: User) -> Checkpoint:
    checkpoint, _ = checkpoints.create_draft("lab", "model", by=owner)
    return checkpoint


def request(client: Client, method: str, path: str, body: Any, token: str, **headers: str) -> Any:
    """Sends `body` as JSON, a list as one line for each of its values."""
    lines = isinstance(body, list)
    data = "\n".join(map(json.dumps, body)) if lines else json.dumps(body)
    if isinstance(body, bytes):
        data = body  # type: ignore[assignment]
    media = "application/x-ndjson" if lines or isinstance(body, bytes) else "application/json"
    headers = {"Content-Type": media, "Authorization": f"Bearer {token}"} | headers
    return client.generic(
        method, path, data, content_type=headers.pop("Content-Type"), headers=headers
    )


@pytest.fixture
def send(client: Client, owner: User) -> Send:
    """Sends a request of the owner."""
    token = factories.token(owner, "write")

    def one(method: str, path: str, body: Any, **headers: str) -> Any:
        return request(client, method, path, body, token, **headers)

    return one


@pytest.fixture
def commit(send: Send, draft: Checkpoint) -> Send:
    """Commits operations to `main`."""

    def one(*operations: Any, branch: str = "main", **header: str) -> Any:
        first = {"key": "header", "value": {"summary": "Commit", **header}}
        return send("POST", f"/api/models/{REPO}/commit/{branch}", [first, *operations])

    return one


def line(key: str, **value: Any) -> dict[str, Any]:
    return {"key": key, "value": value}


def inline(path: str, content: bytes = b"text") -> dict[str, Any]:
    return line("file", path=path, content=base64.b64encode(content).decode(), encoding="base64")


def lfs(path: str, content: bytes) -> dict[str, Any]:
    oid = hashlib.sha256(content).hexdigest()
    return line("lfsFile", path=path, algo="sha256", oid=oid, size=len(content))


def paths(revision: str) -> set[str]:
    return set(File.objects.filter(revision__sha=revision).values_list("path", flat=True))


# -- who ---------------------------------------------------------------------------------


def test_a_name_of_somebody_else_is_forbidden_and_whoever_may_create_nothing_learns_of_none(
    client: Client, draft: Checkpoint, other_person: User
) -> None:
    """Clients upload to whatever answers 409 to `create_repo`."""

    def create(person: User, name: str) -> Any:
        body = {"organization": "lab", "name": name}
        return request(client, "POST", "/api/repos/create", body, factories.token(person, "write"))

    other_tier = factories.tier("other", AccessMode.REVIEWED)
    refused = create(factories.staff("colleague", Role.RELEASE_OWNER, other_tier), "model")
    assert (refused.status_code, refused.json()["code"]) == (403, "name_taken")
    taken, free = create(other_person, "model"), create(other_person, "free")
    assert taken.status_code == free.status_code == 403
    assert taken.json() == free.json()


@pytest.mark.requirement("IN-15")
@pytest.mark.parametrize("route", ROUTES)
def test_a_caller_without_rights_changes_nothing(
    route: str, client: Client, draft: Checkpoint, owner: User, other_person: User
) -> None:
    method, path, body = ROUTES[route]
    other_tier = factories.tier("other", AccessMode.REVIEWED)
    colleague = factories.staff("colleague", Role.RELEASE_OWNER, other_tier)
    creates = route == "create"
    callers = {
        "nobody": ("", 401),
        "an unknown token": ("hf_wb" + "0" * 46, 401),
        "a person": (factories.token(other_person, "write"), 403 if creates else 404),
        "an owner's read token": (factories.token(owner, "read-gated"), 403),
        "an owner's admin token": (factories.token(owner, "admin"), 403),
        "a token for another checkpoint": (
            factories.token(owner, "write", repositories=["lab/elsewhere"]),
            403,
        ),
    }
    if not creates:
        callers["an owner of another tier"] = (factories.token(colleague, "write"), 404)
    acts = AuditEvent.objects.exclude(action__startswith="token.")
    before = acts.count()
    for name, (token, status) in callers.items():
        if token:
            answer = request(client, method, path, body, token)
        else:
            answer = client.generic(method, path, json.dumps(body), "application/json")
        if route == "write check" and answer.status_code == 404:
            status = 404  # a read route: nobody learns that the checkpoint exists
        assert (name, answer.status_code) == (name, status)
        assert answer.json()["error"], name
        if name == "a token for another checkpoint":  # clients add the stop
            assert not answer.json()["error"].endswith("."), name
        if status == 404:
            assert answer["X-Error-Code"] == "RepoNotFound"
    assert Checkpoint.objects.get().repo_id == REPO
    assert acts.count() == before


@pytest.mark.parametrize("route", ROUTES)
def test_a_session_is_no_credential_and_no_csrf_token_is_needed(
    route: str, draft: Checkpoint, owner: User
) -> None:
    method, path, body = ROUTES[route]
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(owner)
    refusal = browser.generic(method, path, json.dumps(body), "application/json")
    assert refusal.status_code == (404 if route == "write check" else 401)
    answer = request(browser, method, path, body, factories.token(owner, "write"))
    assert answer.status_code in {200, 400, 404, 409}, answer.content


# -- repositories ------------------------------------------------------------------------


def test_a_new_repository_is_a_private_draft_and_a_second_one_conflicts(
    send: Send,
) -> None:
    first = send("POST", *ROUTES["create"][1:])
    assert first.status_code == 200
    # The host of the request: clients refuse the URL of another one, such as 127.0.0.1.
    assert first.json()["url"] == "http://testserver/lab/other"
    assert "private draft in the tier opt-175b" in first["X-HF-Warning"]
    again = send("POST", *ROUTES["create"][1:])
    assert again.status_code == 409
    assert again.json()["url"] == first.json()["url"]
    assert Checkpoint.objects.get().private


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"name": "x", "organization": None}, "organisation"),
        ({"name": "x", "organization": "lab", "type": "dataset"}, "only models"),
        ({"name": "x", "organization": "lab", "type": 7}, "must be a string"),
        ({"name": "..", "organization": "lab"}, "not a repository name"),
        ({"name": "a/b", "organization": "lab"}, "not a repository name"),
        ({"name": "a" * 97, "organization": "lab"}, "not a repository name"),
        ({"name": "x", "organization": "api"}, "a path of the portal"),
        ({"name": "x\0", "organization": "lab"}, "NUL"),
        ({"name": "x", "organization": "lab", "files": [{"path": "a"}]}, "commit its files"),
        (7, "JSON object"),
    ],
)
def test_a_bad_repository_is_refused_with_a_reason(send: Send, body: Any, reason: str) -> None:
    answer = send("POST", "/api/repos/create", body)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]
    assert reason in answer["X-Error-Message"]
    assert not Checkpoint.objects.exists()


def test_a_draft_is_renamed_and_a_published_checkpoint_keeps_its_name(
    send: Send, draft: Checkpoint, open_tier: Tier
) -> None:
    assert send("POST", "/api/repos/move", ROUTES["move"][2]).status_code == 200
    draft.refresh_from_db()
    assert draft.repo_id == "lab/moved"
    factories.published("acme/open", open_tier)
    body = {"fromRepo": "acme/open", "toRepo": "acme/other"}
    answer = send("POST", "/api/repos/move", body)
    assert answer.status_code == 409
    assert Checkpoint.objects.filter(org="acme", name="open").exists()


def test_raising_the_gate_takes_effect_at_once(send: Send, open_tier: Tier) -> None:
    checkpoint = factories.published("acme/open", open_tier).checkpoint
    answer = send("PUT", "/api/models/acme/open/settings", {"gated": "manual", "private": True})
    assert answer.json() == {"gated": "manual", "private": True}
    checkpoint.refresh_from_db()
    assert (checkpoint.tier.slug, checkpoint.private) == ("opt-175b", True)


def test_lowering_the_gate_waits_for_a_second_person(
    send: Send, gated_tier: Tier, open_tier: Tier, settings: Settings
) -> None:
    settings.SINGLE_OPERATOR = False
    checkpoint = factories.published("acme/gated", gated_tier, private=True).checkpoint
    for body in ({"gated": False}, {"visibility": "public"}):
        answer = send("PUT", "/api/models/acme/gated/settings", body)
        assert answer.status_code == 403
        assert answer.json()["request"] in answer["X-Error-Message"]
    checkpoint.refresh_from_db()
    assert (checkpoint.tier.slug, checkpoint.private) == ("opt-175b", True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"gated": "maybe"}, 400),
        ({"gated": []}, 400),
        ({"gated": "auto"}, 409),
        ({"visibility": "protected"}, 400),
        ({"visibility": ["public"]}, 400),
        ({"visibility": "public"}, 409),
    ],
)
def test_settings_that_cannot_be_made_are_refused(
    send: Send, draft: Checkpoint, body: Any, status: int
) -> None:
    answer = send("PUT", f"/api/models/{REPO}/settings", body)
    assert answer.status_code == status
    assert answer.json()["error"]
    draft.refresh_from_db()
    assert draft.private


# -- cards -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        ("# No front matter", 200, "no front matter"),
        ("---\ntags: [a]\n---\n", 200, "states no licence"),
        ("---\na: [\n---\n", 400, "cannot be read"),
        ("---\na: &x 1\nb: *x\n---\n", 400, "aliases"),
    ],
)
def test_a_card_is_checked_before_its_commit(
    send: Send, content: str, status: int, message: str
) -> None:
    answer = send("POST", "/api/validate-yaml", {"content": content, "repoType": "model"})
    found = answer.json()
    assert answer.status_code == status
    assert message in json.dumps(found)
    assert bool(found["errors"]) == (status == 400)


def test_a_licence_that_fits_no_tier_of_the_owner_is_an_error(
    client: Client, gated_tier: Tier
) -> None:
    owner = factories.staff("narrow", Role.RELEASE_OWNER, gated_tier)
    body = {"content": "---\nlicense: mit\n---\n", "repoType": "model"}
    answer = request(client, "POST", "/api/validate-yaml", body, factories.token(owner, "write"))
    assert answer.status_code == 400
    assert "opt-175b" in answer.json()["errors"][0]["message"]
    anonymous = client.post("/api/validate-yaml", body, content_type="application/json")
    assert anonymous.json() == {"errors": [], "warnings": []}


# -- preupload ---------------------------------------------------------------------------


def announce(*files: tuple[str, int, bytes], **body: Any) -> dict[str, Any]:
    entries = [
        {"path": path, "size": size, "sample": base64.b64encode(sample).decode()}
        for path, size, sample in files
    ]
    return {"files": entries, **body}


def test_each_file_gets_its_mode_and_what_is_ignored(send: Send, draft: Checkpoint) -> None:
    body = announce(
        ("a.txt", 5, b"hello"),
        ("weights.safetensors", 5, b"hello"),
        ("large.txt", 10_000_001, b"x" * 512),
        ("binary.dat", 5, b"\0\1"),
        ("cut.txt", 600, b"x" * 511 + "\u00e9".encode()[:1]),
        ("empty.bin", 0, b""),
        ("cache/a.log", 1, b"x"),
        gitIgnore="cache/\n",
    )
    answer = send("POST", f"/api/models/{REPO}/preupload/main", body)
    assert answer.status_code == 200, answer.content
    files = {file["path"]: file for file in answer.json()["files"]}
    assert {path: file["uploadMode"] for path, file in files.items()} == {
        **dict.fromkeys(["a.txt", "cut.txt", "empty.bin", "cache/a.log"], "regular"),
        **dict.fromkeys(["weights.safetensors", "large.txt", "binary.dat"], "lfs"),
    }
    assert [path for path, file in files.items() if file["shouldIgnore"]] == ["cache/a.log"]
    assert not any("oid" in file for file in files.values())


def test_unchanged_content_is_named_and_quarantined_content_is_not(
    send: Send, commit: Send
) -> None:
    made = commit(inline("a.txt", b"one"), inline("b.bin", b"\0two"))
    assert made.status_code == 200, made.content
    body = announce(("a.txt", 3, b"one"), ("b.bin", 4, b"\0two"))
    files = send("POST", f"/api/models/{REPO}/preupload/main", body).json()["files"]
    oid = hashlib.sha1(b"blob 3\0one", usedforsecurity=False).hexdigest()
    assert [file.get("oid") for file in files] == [oid, hashlib.sha256(b"\0two").hexdigest()]
    Blob.objects.update(state=Blob.State.QUARANTINED)
    files = send("POST", f"/api/models/{REPO}/preupload/main", body).json()["files"]
    assert [file.get("oid") for file in files] == [None, None]


@pytest.mark.parametrize(
    "files",
    [
        [],
        [{"path": "a", "size": 1, "sample": ""}] * 257,
        [7],
        [{"path": "../a", "size": 1, "sample": ""}],
        [{"path": "a\\b", "size": 1, "sample": ""}],
        [{"path": "/a", "size": 1, "sample": ""}],
        [{"path": "a" * 2000, "size": 1, "sample": ""}],
        [{"path": "\ud800", "size": 1, "sample": ""}],
        [{"path": "a", "size": -1, "sample": ""}],
        [{"path": "a", "size": "1", "sample": ""}],
        [{"path": "a", "size": 1, "sample": "!"}],
        [{"path": "a", "size": 1, "sample": "A" * 2000}],
        [{"path": "d/" * 100 + "a", "size": 1, "sample": ""}],
        "many",
    ],
)
def test_hostile_announcements_are_refused(send: Send, draft: Checkpoint, files: Any) -> None:
    answer = send("POST", f"/api/models/{REPO}/preupload/main", {"files": files})
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_256_files_with_full_samples_are_answered_in_few_statements(
    send: Send, draft: Checkpoint, django_assert_max_num_queries: Any
) -> None:
    files = [(f"folder/{'n' * 100}-{n}.txt", 600, b"x" * 512) for n in range(256)]
    send("POST", f"/api/models/{REPO}/preupload/main", announce(files[0]))
    with django_assert_max_num_queries(9):
        answer = send("POST", f"/api/models/{REPO}/preupload/main", announce(*files))
    assert len(answer.json()["files"]) == 256


@pytest.mark.requirement("UP-6")
def test_more_than_the_quota_is_refused_at_the_announcement(
    send: Send, draft: Checkpoint, settings: Settings
) -> None:
    settings.UPLOAD_QUOTA = 1000
    address = f"/api/models/{REPO}/preupload/main"
    refused = send("POST", address, announce(("a.bin", 600, b"a"), ("b.bin", 600, b"b")))
    assert (refused.status_code, refused.json()["code"]) == (413, "upload_quota")
    assert "would exceed your quota of 1.0 kB" in refused["X-Error-Message"]
    fitting = [
        announce(("a.bin", 600, b"a"), ("b.bin", 400, b"b")),
        announce(("a.bin", 600, b"a"), ("copy-of-a.bin", 600, b"a")),
        announce(("a.bin", 600, b"a"), ("b.log", 600, b"b"), gitIgnore="*.log"),
    ]
    for body in fitting:
        assert send("POST", address, body).status_code == 200, body


def test_files_that_need_not_be_sent_count_for_no_quota(
    send: Send, commit: Send, owner: User, settings: Settings
) -> None:
    content = b"\0" * 600
    made = commit(inline("a.bin", content))
    checkpoint = Revision.objects.get(sha=made.json()["commitOid"]).checkpoint
    Upload.objects.create(checkpoint=checkpoint, person=owner, sha256="7" * 64, size=700)
    settings.UPLOAD_QUOTA = 1400
    address = f"/api/models/{REPO}/preupload/main"
    moved = announce(("moved.bin", 600, content[:512]), ("begun.bin", 700, b"b"))
    assert send("POST", address, moved).status_code == 200
    more = announce(("moved.bin", 600, content[:512]), ("new.bin", 101, b"b"))
    assert send("POST", address, more).json()["code"] == "upload_quota"
    Blob.objects.update(state=Blob.State.QUARANTINED)
    assert send("POST", address, moved).json()["code"] == "upload_quota"


@pytest.mark.parametrize("route", ["preupload", "commit"])
def test_pull_requests_and_unknown_branches_are_refused(
    route: str, send: Send, draft: Checkpoint
) -> None:
    method, path, body = ROUTES[route]
    answer = send(method, f"{path}?create_pr=1", body)
    assert answer.status_code == 400
    assert "no pull requests" in answer["X-Error-Message"]
    answer = send(method, path.replace("main", "absent"), body)
    assert (answer.status_code, answer["X-Error-Code"]) == (404, "RevisionNotFound")


# -- commits -----------------------------------------------------------------------------


def test_a_commit_builds_on_the_one_before(commit: Send) -> None:
    first = commit(inline("a.txt"), inline("d/b.txt"), inline("d/c.txt"), inline("e/f.txt"))
    assert first.status_code == 200, first.content
    second = commit(
        line("deletedFolder", path="d/"), line("deletedFile", path="a.txt"), inline("new.txt")
    )
    assert second.status_code == 200, second.content
    assert paths(second.json()["commitOid"]) == {"e/f.txt", "new.txt"}
    made = Revision.objects.get(sha=second.json()["commitOid"])
    assert made.parent is not None
    assert made.parent.sha == first.json()["commitOid"]
    assert made.state == Revision.State.DRAFT
    assert AuditEvent.objects.filter(action="revision.committed").count() >= 2


@pytest.mark.requirement("IN-16")
def test_the_second_of_two_writers_is_told_that_the_branch_moved(commit: Send) -> None:
    parent = commit(inline("a.txt")).json()["commitOid"]
    assert commit(inline("b.txt"), parentCommit=parent).status_code == 200
    late = commit(inline("c.txt"), parentCommit=parent)
    assert late.status_code == 412
    assert not File.objects.filter(path="c.txt").exists()


def test_deleting_a_missing_file_says_so_in_the_hubs_words(commit: Send) -> None:
    for operation in (line("deletedFile", path="no.txt"), line("deletedFolder", path="no/")):
        answer = commit(operation)
        assert (answer.status_code, answer["X-Error-Code"]) == (404, "EntryNotFound")
        assert "A file with this name doesn't exist" in answer["X-Error-Message"]


@pytest.mark.parametrize(
    "path",
    ["../a", "a/../b", "/a", "a//b", ".", "a\\b", "a\u202eb", "a\0b", "\ud800", "x" * 1025, ""],
)
def test_a_path_that_no_url_spells_is_refused(commit: Send, path: str) -> None:
    before = Revision.objects.count()
    for operation in (inline(path), lfs(path, b"x"), line("deletedFile", path=path)):
        answer = commit(operation)
        assert answer.status_code in {400, 404}
        assert answer.json()["error"]
    assert Revision.objects.count() == before


def test_a_file_under_a_file_and_two_files_of_one_name_are_refused(commit: Send) -> None:
    for operations in ([inline("a"), inline("a/b")], [inline("a", b"1"), inline("a", b"2")]):
        assert commit(*operations).status_code == 400


@pytest.mark.requirement("IN-17")
def test_the_hash_of_a_gated_file_hands_out_no_bytes(
    commit: Send, client: Client, gated_tier: Tier, open_tier: Tier
) -> None:
    """Neither an object that the store holds nor a colleague's upload is present."""
    secret = b"\0the weights of another checkpoint"
    factories.published("acme/gated", gated_tier, {"w.bin": secret})
    colleague = factories.staff("colleague", Role.RELEASE_OWNER)
    sent = b"\0sent by a colleague"
    checkpoint = Checkpoint.objects.get(org="lab", name="model")
    oid = hashlib.sha256(sent).hexdigest()
    uploads.finish(checkpoint, colleague, oid, len(sent), [sent])
    before = Revision.objects.count()
    for content in (secret, sent, b"\0never sent"):
        copied = lfs("stolen.bin", content)
        del copied["value"]["size"]
        for operation in (lfs("stolen.bin", content), copied):
            answer = commit(operation)
            assert answer.status_code == 400, answer.content
    assert Revision.objects.count() == before


def test_an_object_of_another_size_than_stated_is_refused(commit: Send, owner: User) -> None:
    content = b"\0weights"
    checkpoint = Checkpoint.objects.get(org="lab", name="model")
    uploads.finish(checkpoint, owner, hashlib.sha256(content).hexdigest(), len(content), [content])
    wrong = lfs("w.bin", content)
    wrong["value"]["size"] += 1
    assert commit(wrong).status_code == 400
    assert commit(lfs("w.bin", content)).status_code == 200


def test_a_file_that_fails_its_check_is_named_and_does_not_stop_later_commits(
    commit: Send, owner: User
) -> None:
    checkpoint = Checkpoint.objects.get(org="lab", name="model")
    uploads.finish_contents(checkpoint, owner, [b"\0bad"])
    Blob.objects.create(sha256=hashlib.sha256(b"\0bad").hexdigest(), size=4)
    assert commit(lfs("bad.bin", b"\0bad")).status_code == 200
    Blob.objects.update(state=Blob.State.QUARANTINED, quarantine_reason="It is a bad file")
    answer = commit(inline("good.txt"))
    assert answer.status_code == 200, answer.content
    made = Revision.objects.get(sha=answer.json()["commitOid"])
    assert made.parent is not None
    with pytest.raises(CommitRefused, match=r"bad\.bin failed its check: It is a bad file\. The"):
        checks.await_checks(made.parent)


@pytest.mark.parametrize(
    "media", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""]
)
def test_a_commit_of_another_media_type_is_refused(
    send: Send, draft: Checkpoint, media: str
) -> None:
    method, path, body = ROUTES["commit"]
    assert send(method, path, body, **{"Content-Type": media}).status_code == 415


@pytest.mark.requirement("IN-16")
def test_a_refused_commit_leaves_the_branch_as_it_was(commit: Send) -> None:
    head = commit(inline("a.txt")).json()["commitOid"]
    for bad in (line("rename"), lfs("b.bin", b"\0absent"), inline("../c")):
        assert commit(inline("new.txt"), bad).status_code == 400
    assert not File.objects.filter(path="new.txt").exists()
    assert Revision.objects.order_by("-pk")[0].sha == head


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "statements"), [("inline", 240), ("lfs", 80)])
def test_a_commit_of_992_files_costs_few_statements(
    kind: str,
    statements: int,
    commit: Send,
    owner: User,
    django_assert_max_num_queries: Any,
) -> None:
    checkpoint = Checkpoint.objects.get(org="lab", name="model")
    contents = [b"\0%d" % n if kind == "lfs" else b"%d" % n for n in range(992)]
    if kind == "lfs":
        uploads.finish_contents(checkpoint, owner, contents)
    make = lfs if kind == "lfs" else inline
    operations = [make(f"s/{n}.dat", content) for n, content in enumerate(contents)]
    with django_assert_max_num_queries(statements):
        answer = commit(*operations)
    assert answer.status_code == 200, answer.content
    assert len(paths(answer.json()["commitOid"])) == 992


# -- what an owner reads -----------------------------------------------------------------


@pytest.mark.parametrize("address", ["revision/{}", "tree/{}", "tree/{}/folder", "commits/{}"])
def test_an_unknown_branch_of_a_draft_is_a_missing_revision(
    commit: Send, send: Send, address: str
) -> None:
    assert commit(inline("README.md")).status_code == 200
    answer = send("GET", f"/api/models/{REPO}/{address.format('absent')}", {})
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "RevisionNotFound")


def test_the_owners_write_token_may_download_a_gated_draft(commit: Send, send: Send) -> None:
    assert commit(inline("README.md")).status_code == 200
    checkpoint = Checkpoint.objects.get(org="lab")
    assert checkpoint.tier.is_gated
    answer = send("GET", f"/api/models/{REPO}/auth-check", {})
    assert (answer.status_code, answer.json()) == (200, {})
