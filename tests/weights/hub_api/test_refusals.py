"""Responses by situation and credential: status, headers and JSON."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.api_tokens.models import ApiToken
from accounts.grants import lifecycle
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.catalogue.models import Checkpoint
from weights.publishing.models import Revision
from weights.storage.models import Blob

pytestmark = pytest.mark.one_database

INVALID = "Invalid credentials in Authorization header"
METADATA = ["", "/tree/main", "/refs", "/commits/main", "/revision/main"]


@pytest.fixture
def gated(store: Path, gated_tier: Tier) -> str:
    """The name of a gated checkpoint with one file."""
    factories.published("acme/gated", gated_tier, {"w.bin": b"weights"})
    return "acme/gated"


@pytest.fixture
def open_checkpoint(db: None, store: Path) -> str:
    factories.published("acme/open", files={"w.bin": b"weights"})
    return "acme/open"


def resolve(repo_id: str, path: str = "w.bin", revision: str = "main") -> str:
    return f"/{repo_id}/resolve/{revision}/{path}"


def api(repo_id: str, rest: str = "") -> str:
    return f"/api/models/{repo_id}{rest}"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def codes(response: Any) -> tuple[int, str | None, str | None]:
    """The status, the Hub's error code and the portal's refusal code."""
    headers = response.headers
    return response.status_code, headers.get("X-Error-Code"), headers.get("X-Refusal-Code")


# -- invalid credentials ---------------------------------------------------------------


@pytest.mark.requirement("GT-8")
@pytest.mark.parametrize(
    "header",
    [
        "Bearer wb_" + "0" * 46,
        "Bearer ",
        "bearer wb_x",
        "Bearer a b",
        "Basic d2I6eA==",
        "Token x",
        "",
    ],
)
@pytest.mark.parametrize("target", ["open", "gated", "missing", "api", "whoami"])
def test_an_invalid_token_gets_the_exact_message_everywhere(
    client: Client, open_checkpoint: str, gated: str, header: str, target: str
) -> None:
    url = {
        "open": resolve(open_checkpoint),
        "gated": resolve(gated),
        "missing": resolve("no/body"),
        "api": api(open_checkpoint),
        "whoami": "/api/whoami-v2",
    }[target]
    response = client.get(url, headers={"Authorization": header})
    assert codes(response) == (401, None, "token_invalid")
    assert response["X-Error-Message"] == INVALID
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response.json() == {"error": INVALID, "code": "token_invalid"}


@pytest.mark.requirement("TK-6")
def test_two_authorization_headers_are_refused(
    client: Client, open_checkpoint: str, applicant: User
) -> None:
    one = f"Bearer {factories.token(applicant)}"
    joined = {"Authorization": f"{one},{one}"}
    assert codes(client.get(resolve(open_checkpoint), headers=joined))[0] == 401


def test_an_expired_token_is_invalid_with_its_own_code(
    client: Client, open_checkpoint: str, applicant: User
) -> None:
    token = factories.token(applicant)
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    response = client.get(resolve(open_checkpoint), headers=bearer(token))
    assert codes(response) == (401, None, "token_expired")
    assert response["X-Error-Message"] == INVALID


def test_a_token_never_makes_an_open_read_fail(
    client: Client, open_checkpoint: str, applicant: User
) -> None:
    response = client.get(resolve(open_checkpoint), headers=bearer(factories.token(applicant)))
    assert (response.status_code, b"".join(response)) == (200, b"weights")


# -- the gate --------------------------------------------------------------------------


@pytest.mark.requirement("GT-4")
@pytest.mark.parametrize("path", ["w.bin", "no-such-file", "../w.bin"])
@pytest.mark.parametrize("revision", ["main", "no-such-revision"])
@pytest.mark.parametrize("method", ["get", "head"])
def test_anonymous_callers_learn_nothing_about_gated_files(
    client: Client, gated: str, path: str, revision: str, method: str
) -> None:
    response = getattr(client, method)(
        resolve(gated, path, revision), headers={"Range": "bytes=0-0", "If-None-Match": "*"}
    )
    assert codes(response) == (401, "GatedRepo", "login_required")
    assert "/apply/opt-175b/" in response["X-Error-Message"]
    assert not {"ETag", "X-Linked-Size", "X-Repo-Commit", "Content-Range"} & set(response.headers)


def test_a_user_without_access_learns_where_to_apply(
    client: Client, gated: str, applicant: User
) -> None:
    token = bearer(factories.token(applicant, "read-gated"))
    response = client.get(resolve(gated), headers=token)
    assert codes(response) == (403, "GatedRepo", "no_application")
    assert "/apply/opt-175b/" in response.json()["error"]
    assert codes(client.get(api(gated, "/auth-check"), headers=token)) == (
        403,
        "GatedRepo",
        "no_application",
    )


def test_the_commonest_trap_is_named(
    client: Client, gated: str, gated_tier: Tier, applicant: User
) -> None:
    factories.grant(applicant, gated_tier)
    response = client.get(resolve(gated), headers=bearer(factories.token(applicant)))
    assert codes(response) == (403, "GatedRepo", "token_scope")
    assert "/settings/tokens/" in response["X-Error-Message"]


def test_entitled_callers_are_served_on_every_route(
    client: Client, gated: str, gated_tier: Tier, applicant: User
) -> None:
    factories.grant(applicant, gated_tier)
    token = bearer(factories.token(applicant, "read-gated"))
    assert b"".join(client.get(resolve(gated), headers=token)) == b"weights"
    assert client.head(resolve(gated), headers=token).status_code == 200
    assert client.get(api(gated, "/auth-check"), headers=token).status_code == 200
    missing = client.get(resolve(gated, "no-such-file"), headers=token)
    assert codes(missing) == (404, "EntryNotFound", None)
    assert len(missing["X-Repo-Commit"]) == 40


@pytest.mark.requirement("GT-5")
def test_a_revoked_grant_closes_the_next_request(
    client: Client, gated: str, gated_tier: Tier, applicant: User
) -> None:
    grant = factories.grant(applicant, gated_tier)
    token = bearer(factories.token(applicant, "read-gated"))
    assert client.head(resolve(gated), headers=token).status_code == 200
    lifecycle.revoke(grant, by=None, reason="misuse")
    assert codes(client.head(resolve(gated), headers=token)) == (403, "GatedRepo", "revoked")


def test_a_quarantined_file_is_refused_to_the_entitled(
    client: Client, open_checkpoint: str
) -> None:
    Blob.objects.update(state=Blob.State.QUARANTINED)
    response = client.get(resolve(open_checkpoint))
    assert codes(response) == (403, "GatedRepo", "file_quarantined")


@pytest.mark.parametrize("rest", METADATA)
def test_pages_about_a_gated_checkpoint_are_public(client: Client, gated: str, rest: str) -> None:
    assert client.get(api(gated, rest)).status_code == 200


@pytest.mark.requirement("WB-6")
def test_a_browser_session_opens_files_but_not_the_api(
    client: Client, gated: str, gated_tier: Tier, applicant: User
) -> None:
    factories.grant(applicant, gated_tier)
    client.force_login(applicant)
    assert b"".join(client.get(resolve(gated))) == b"weights"
    assert codes(client.get(api(gated, "/auth-check"))) == (401, "GatedRepo", "login_required")
    assert client.get("/api/whoami-v2").status_code == 401


def test_a_token_outranks_the_session_beside_it(
    client: Client, gated: str, gated_tier: Tier, applicant: User, other_person: User
) -> None:
    factories.grant(applicant, gated_tier)
    client.force_login(applicant)
    token = bearer(factories.token(other_person, "read-gated"))
    assert client.get(resolve(gated), headers=token).status_code == 403


# -- what does not exist ---------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        resolve("no/body"),
        "/gpt2/resolve/main/config.json",
        api("no/body"),
        api("no/body", "/tree/main"),
        api("no/body", "/revision/main"),
        api("no/body", "/refs"),
        api("no/body", "/commits/main"),
        api("no/body", "/auth-check"),
        api("gpt2"),
        api("gpt2", "/revision/main"),
        api("gpt2", "/tree/main"),
        "/é/ü/resolve/main/x",
        "/no%00/body/resolve/main/x",
        f"/{'o' * 300}/{'n' * 300}/resolve/main/x",
    ],
)
def test_an_unknown_repository_has_its_own_code(client: Client, db: None, url: str) -> None:
    response = client.get(url)
    assert codes(response) == (404, "RepoNotFound", None)
    assert response.json()["error"]


@pytest.mark.parametrize(
    "rest", ["/tree/nope", "/revision/nope", "/commits/nope", f"/revision/{'0' * 40}", "/tree/%00"]
)
def test_an_unknown_revision_has_its_own_code(
    client: Client, open_checkpoint: str, rest: str
) -> None:
    assert codes(client.get(api(open_checkpoint, rest))) == (404, "RevisionNotFound", None)


def test_an_unknown_revision_of_a_file_has_its_own_code(
    client: Client, open_checkpoint: str
) -> None:
    response = client.head(resolve(open_checkpoint, revision="nope"))
    assert codes(response) == (404, "RevisionNotFound", None)


@pytest.mark.parametrize(
    "path", ["nope", "W.BIN", "w.bin/", "./w.bin", "a/../w.bin", "%00", "w.bin%0a", "%f0%9f%92%a9"]
)
def test_an_unknown_path_has_its_own_code_and_the_commit(
    client: Client, open_checkpoint: str, path: str
) -> None:
    response = client.get(resolve(open_checkpoint, path))
    assert codes(response) == (404, "EntryNotFound", None)
    assert len(response["X-Repo-Commit"]) == 40
    assert response["X-Error-Message"].isascii()


def test_an_unknown_folder_is_an_unknown_entry(client: Client, open_checkpoint: str) -> None:
    response = client.get(api(open_checkpoint, "/tree/main/additional_chat_templates"))
    assert codes(response) == (404, "EntryNotFound", None)


def test_a_catalogue_entry_without_bytes_is_not_published(client: Client, open_tier: Tier) -> None:
    Checkpoint.objects.create(org="facebook", name="opt-175b-copy", tier=open_tier)
    for url in (resolve("facebook/opt-175b-copy"), api("facebook/opt-175b-copy")):
        assert codes(client.get(url)) == (404, "RepoNotFound", "not_published")


DOORS = [
    ("get", "/{}/resolve/main/w.bin"),
    ("head", "/{}/resolve/main/w.bin"),
    ("get", "/api/models/{}"),
    ("head", "/api/models/{}"),
    ("get", "/api/models/{}/tree/main"),
    ("get", "/api/models/{}/revision/main"),
    ("get", "/api/models/{}/refs"),
    ("get", "/api/models/{}/commits/main"),
    ("get", "/api/models/{}/auth-check"),
    ("get", "/api/models/{}/auth-check/write"),
    ("post", "/api/models/{}/paths-info/main"),
]
OTHER_DOORS = [
    ("get", "/{}/tree/main"),
    ("get", "/{}/blob/main/w.bin"),
    ("get", f"/{{}}/manifest/{'a' * 40}.json"),
    ("get", f"/{{}}/manifest/{'a' * 40}.sig"),
    ("get", f"/{{}}/manifest/{'a' * 40}/SHA256SUMS"),
    ("get", "/api/v1/checkpoints/{}/revisions"),
    ("get", "/api/v1/checkpoints/{}/files"),
    ("get", "/api/v1/checkpoints/{}/plan"),
]
FORM = {"content_type": "application/x-www-form-urlencoded"}


@pytest.mark.requirement("GT-6")
@pytest.mark.parametrize("gated", [False, True])
def test_every_route_says_that_the_first_files_are_being_verified(
    client: Client, open_tier: Tier, gated_tier: Tier, *, gated: bool
) -> None:
    _await_verification("acme/new", gated_tier if gated else open_tier)
    for method, door in DOORS + OTHER_DOORS:
        response = getattr(client, method)(door.format("acme/new"), **_form(method))
        refusal = (response.status_code, response["X-Refusal-Code"])
        assert refusal == (403, "file_unverified"), door
        assert "being verified; try again in a minute" in response["X-Error-Message"], door
        if (method, door) in DOORS:
            assert response["X-Error-Code"] == "GatedRepo", door


@pytest.mark.requirement("GT-3")
def test_a_private_one_that_is_being_verified_looks_exactly_like_an_unknown_one(
    client: Client, open_tier: Tier
) -> None:
    _await_verification("acme/hidden", open_tier, private=True)
    for method, door in DOORS + OTHER_DOORS:
        answers = []
        for repo_id in ("acme/hidden", "acme/absent"):
            response = getattr(client, method)(door.format(repo_id), **_form(method))
            fields = {k: v for k, v in response.headers.items() if k != "X-Request-Id"}
            answer = str((response.status_code, fields, response.content))
            answers.append(answer.replace(response["X-Request-Id"], ""))
        assert answers[0].replace("acme/hidden", "acme/absent") == answers[1], door
        assert response.status_code == 404, door


def _form(method: str) -> dict[str, str]:
    return FORM if method == "post" else {}


def _await_verification(repo_id: str, tier: Tier, **facts: Any) -> None:
    org, _, name = repo_id.partition("/")
    checkpoint = Checkpoint.objects.create(org=org, name=name, tier=tier, **facts)
    checkpoint.revisions.create(sha="a" * 40, manifest_sha256="b" * 64)


@pytest.mark.requirement("GT-3")
@pytest.mark.parametrize("hidden", ["private", "embargo_until"])
@pytest.mark.parametrize(("method", "door"), DOORS)
def test_a_private_checkpoint_looks_exactly_like_an_unknown_one(
    client: Client, store: Path, applicant: User, method: str, door: str, hidden: str
) -> None:
    value: Any = True if hidden == "private" else timezone.now() + timedelta(days=1)
    factories.published("acme/hidden", files={"w.bin": b"weights"}, **{hidden: value})
    form = {"content_type": "application/x-www-form-urlencoded"} if method == "post" else {}
    for headers in ({}, bearer(factories.token(applicant, "read-gated"))):
        answers = []
        for repo_id in ("acme/hidden", "acme/absent"):
            response = getattr(client, method)(door.format(repo_id), headers=headers, **form)
            fields = {k: v for k, v in response.headers.items() if k != "X-Request-Id"}
            answers.append(
                str((response.status_code, fields, response.content)).replace(repo_id, "X/Y")
            )
        assert answers[0].replace("hidden", "absent") == answers[1]
        assert "RepoNotFound" in answers[0]


def test_those_who_may_know_of_a_private_checkpoint_read_it(
    client: Client, store: Path, release_owner: User
) -> None:
    factories.published("acme/hidden", files={"w.bin": b"weights"}, private=True)
    token = bearer(factories.token(release_owner, "read-gated"))
    assert b"".join(client.get(resolve("acme/hidden"), headers=token)) == b"weights"
    assert client.get(api("acme/hidden"), headers=token).json()["private"] is True


# -- the surface -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["/api", "/api/", "/api/nothing", "/api/agent-harnesses", "/api/models/acme/open/discussions"],
)
@pytest.mark.parametrize("method", ["get", "head", "post", "put", "delete", "patch"])
def test_every_unknown_url_of_the_api_gets_json(
    client: Client, open_checkpoint: str, url: str, method: str
) -> None:
    response = getattr(client, method)(url)
    assert response.status_code == 404
    assert response["Content-Type"] == "application/json"
    assert method == "head" or response.json()["code"] == "not_found"


@pytest.mark.requirement("HT-1")
@pytest.mark.parametrize("method", ["post", "put", "delete", "patch", "trace", "options"])
def test_files_are_only_read(client: Client, open_checkpoint: str, method: str) -> None:
    response = getattr(client, method)(resolve(open_checkpoint))
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("content_type", ["application/xml", "text/plain", ""])
def test_another_kind_of_body_is_refused(
    client: Client, open_checkpoint: str, content_type: str
) -> None:
    url = api(open_checkpoint, "/paths-info/main")
    assert client.post(url, b"{}", content_type=content_type).status_code == 415


def test_too_many_form_fields_are_refused_in_json(client: Client, open_checkpoint: str) -> None:
    url = api(open_checkpoint, "/paths-info/main")
    response = client.post(
        url, "&".join(["paths=a"] * 5000), content_type="application/x-www-form-urlencoded"
    )
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")


def test_a_header_sentence_is_plain_ascii_and_the_body_keeps_the_letters(
    client: Client, open_checkpoint: str
) -> None:
    response = client.get(resolve(open_checkpoint, "été\u2028…"))
    assert response["X-Error-Message"].isascii()
    assert "%C3%A9t%C3%A9" in response["X-Error-Message"]
    assert "été" in response.json()["error"]


@pytest.mark.parametrize(
    "url",
    [
        "/api/datasets/acme/open",
        "/api/datasets/acme/open/revision/main",
        "/api/spaces/acme/open",
        "/datasets/acme/open/resolve/main/w.bin",
    ],
)
def test_a_data_set_is_missing_and_not_the_connection(
    client: Client, open_checkpoint: str, url: str
) -> None:
    assert codes(client.head(url)) == (404, "RepoNotFound", None)


# -- what the hf tool prints -----------------------------------------------------------


def warned(response: Any) -> str:
    return str(response.headers.get("X-HF-Warning", ""))


def test_a_refusal_carries_the_next_step_as_a_warning(
    client: Client, gated: str, gated_tier: Tier, applicant: User, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://weights.example.org"
    token = bearer(factories.token(applicant, "read-gated"))
    refused = client.head(resolve(gated), headers=token)
    assert warned(refused).startswith("no_application; You do not have access to acme/gated yet.")
    assert warned(refused).endswith("https://weights.example.org/apply/opt-175b/")
    factories.grant(applicant, gated_tier)
    assert "X-HF-Warning" not in client.head(resolve(gated), headers=token)
    assert "X-HF-Warning" not in client.head(resolve(gated, "absent"), headers=token)


def test_the_warning_distinguishes_a_foreign_token_from_an_expired_one(
    client: Client, open_checkpoint: str, applicant: User, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://weights.example.org"
    foreign = client.head(resolve(open_checkpoint), headers=bearer("hf_" + "a" * 34))
    assert warned(foreign) == (
        "hugging_face_token; This is a Hugging Face token; create one at"
        " https://weights.example.org/settings/tokens/"
    )
    assert foreign["X-Error-Message"] == INVALID
    assert "X-Error-Code" not in foreign
    unknown = client.head(resolve(open_checkpoint), headers=bearer("hf_wb" + "0" * 46))
    assert warned(unknown).startswith("token_invalid; This portal does not know the token. Unset")
    old = factories.token(applicant)
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    expired = client.head(resolve(open_checkpoint), headers=bearer(old))
    assert warned(expired).startswith("token_expired; The token sent has expired.")
    assert warned(expired).endswith("https://weights.example.org/settings/tokens/")


def test_a_login_by_browser_is_sent_to_the_tokens(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://weights.example.org"
    response = Client(enforce_csrf_checks=True).post("/oauth/device", {"client_id": "x"})
    assert response.status_code == 404
    assert "https://weights.example.org/settings/tokens/" in response["X-Error-Message"]
    assert "--token" in response.json()["error"]


# -- may the caller publish? -----------------------------------------------------------


def test_only_a_release_owner_with_the_scope_may_write(
    client: Client, open_checkpoint: str, release_owner: User, applicant: User
) -> None:
    url = api(open_checkpoint, "/auth-check/write")
    assert codes(client.get(url)) == (401, "login_required", "login_required")
    reads = bearer(factories.token(release_owner))
    assert codes(client.get(url, headers=reads)) == (403, "token_scope", "token_scope")
    nobody = bearer(factories.token(applicant, "write"))
    assert client.get(url, headers=nobody).json()["code"] == "not_allowed"
    owner = bearer(factories.token(release_owner, "write"))
    assert client.get(url, headers=owner).status_code == 200
    absent = client.get(api("acme/absent", "/auth-check/write"), headers=owner)
    assert codes(absent) == (404, "RepoNotFound", None)


# -- what is not offered ---------------------------------------------------------------


@pytest.mark.requirement("HT-8")
def test_a_malformed_commit_is_refused_at_every_address_and_changes_nothing(
    client: Client, open_checkpoint: str, release_owner: User
) -> None:
    lines = b'{"key": "header", "value": {"summary": "x"}}\n{"key": "deletedFile", "value": {}}\n'
    headers = bearer(factories.token(release_owner, "write", "admin"))
    for verb in ("commit/main", "preupload/main", "branch/other", "tag/main"):
        answer = client.post(
            api(open_checkpoint, f"/{verb}"),
            lines,
            content_type="application/x-ndjson",
            headers=headers,
        )
        assert answer.status_code in {400, 404, 405}, verb
        assert answer.json()["code"]
        assert answer.json()["error"]
    assert client.head(resolve(open_checkpoint)).status_code == 200
    assert Revision.objects.count() == 1
