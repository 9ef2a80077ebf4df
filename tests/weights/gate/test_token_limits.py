"""A token's limits apply to hidden checkpoints on every route, like to gated files."""

import json
import re
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from django.test import Client
from django.utils import timezone

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.catalogue.models import Checkpoint
from weights.delivery.models import CheckpointLink
from weights.known_issues.models import KnownIssue
from weights.publishing.models import File, Revision
from weights.recalls import opening

pytestmark = [pytest.mark.django_db, pytest.mark.one_database, pytest.mark.usefixtures("store")]

HIDDEN, UNKNOWN, OTHER = "acme/hidden", "acme/absent", "acme/other"
FILES = {"only.json": b'{"only": "in the hidden one"}', "README.md": b"# Text\n"}
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


class Route(NamedTuple):
    """A request; `{repo}` and `{sha}` stand for the checkpoint's name and its revision."""

    address: str
    body: dict[str, str] | str | None = None


#: Routes that name one checkpoint, and the status of the owner's unlimited token.
NAMED = [
    (Route("/{repo}/resolve/main/README.md"), 200),
    (Route("/{repo}/resolve/{sha}/only.json"), 200),
    (Route("/{repo}/manifest/{sha}.json"), 200),
    (Route("/{repo}/manifest/{sha}.sig"), 404),  # not signed yet
    (Route("/{repo}/manifest/{sha}/SHA256SUMS"), 200),
    (Route("/api/models/{repo}"), 200),
    (Route("/api/models/{repo}/revision/main"), 200),
    (Route("/api/models/{repo}/tree/main"), 200),
    (Route("/api/models/{repo}/tree/main?recursive=1&expand=1"), 200),
    (Route("/api/models/{repo}/paths-info/main", "paths=only.json"), 200),
    (Route("/api/models/{repo}/refs"), 200),
    (Route("/api/models/{repo}/commits/main"), 200),
    (Route("/api/models/{repo}/auth-check"), 200),
    (Route("/api/models/{repo}/auth-check/write"), 403),
    (Route("/api/v1/checkpoints/{repo}"), 200),
    (Route("/api/v1/checkpoints/{repo}/revisions"), 200),
    (Route("/api/v1/checkpoints/{repo}/files"), 200),
    (Route("/api/v1/checkpoints/{repo}/plan"), 200),
    (Route("/api/v1/gate?repo={repo}"), 200),
    (Route("/api/v1/gate?repo={repo}&path=only.json"), 200),
    (Route("/api/v1/file-links", {"repo": "{repo}", "path": "only.json"}), 201),
    (Route("/api/v1/links", {"repo": "{repo}"}), 202),
]
#: Routes that may list it, each with a text that shows it.
LISTS = {
    "/api/models": HIDDEN,
    "/api/models?search=hidden&full=true": HIDDEN,
    "/api/v1/checkpoints": HIDDEN,
    "/api/v1/checkpoints?search=hidden": HIDDEN,
    "/api/v1/issues": "A flaw of the hidden one",
    f"/api/v1/issues?repo={HIDDEN}": "A flaw of the hidden one",
    "/api/v1/recalls": HIDDEN,
    "/api/v1/links": HIDDEN,
    "/api/v1/audit/downloads": HIDDEN,
    "/api/v1/files/{sha256}": HIDDEN,
}
LIMITS: dict[str, dict[str, Any]] = {
    "other checkpoints": {"scopes": ["read-gated", "write"], "repositories": [OTHER]},
    "a name in another case": {"scopes": ["read-gated"], "repositories": [HIDDEN.upper()]},
    "no scope": {"scopes": ["read"]},
    "write alone": {"scopes": ["write"]},
    "admin alone": {"scopes": ["admin"]},
}


@pytest.fixture(params=["private, open", "private, gated", "under embargo"])
def hidden(
    request: pytest.FixtureRequest, release_owner: User, open_tier: Tier, gated_tier: Tier
) -> Revision:
    """A hidden checkpoint that the release owner may see, with everything that can name it."""
    tier = gated_tier if "gated" in request.param else open_tier
    factories.grant(release_owner, gated_tier)
    revision = factories.published(HIDDEN, tier, FILES)
    hide = {"embargo_until": timezone.now() + timedelta(days=1)}
    facts = hide if request.param == "under embargo" else {"private": True}
    Checkpoint.objects.filter(pk=revision.checkpoint_id).update(**facts)
    factories.published(OTHER, gated_tier)
    title = "A flaw of the hidden one"
    KnownIssue.objects.create(
        checkpoint=revision.checkpoint, title=title, text="Text.", by=release_owner
    )
    CheckpointLink.objects.create(
        holder=release_owner, checkpoint=revision.checkpoint, cause=CheckpointLink.Cause.REQUEST
    )
    return revision


def _is_embargoed(revision: Revision) -> bool:
    return Checkpoint.objects.get(pk=revision.checkpoint_id).embargo_until is not None


def ask(route: Route, repo_id: str, sha: str, token: str) -> tuple[int, str]:
    """Status and everything else of the answer, with the name of the checkpoint taken out."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    address = route.address.replace("{repo}", repo_id).replace("{sha}", sha)
    if route.body is None:
        response = Client().get(address, headers=headers)
    else:
        is_json = isinstance(route.body, dict)
        body = json.dumps(route.body) if is_json else route.body
        content = str(body).replace("{repo}", repo_id)
        content_type = _JSON if is_json else _FORM
        response = Client().post(address, content, content_type=content_type, headers=headers)
    text = str(b"".join(response) if response.streaming else response.content)
    left_out = {"X-Request-Id", "RateLimit", "RateLimit-Policy", "Date"}
    fields = sorted((k, v) for k, v in response.headers.items() if k not in left_out)
    return response.status_code, _without_names(f"{fields} {text}", response["X-Request-Id"])


def _without_names(text: str, request_id: str) -> str:
    text = text.replace(request_id, "").replace(HIDDEN, "X").replace(UNKNOWN, "X")
    return re.sub(r"acme%2F(hidden|absent)", "X", text)


@pytest.mark.slow
@pytest.mark.requirement("GT-3", "TK-3")
@pytest.mark.parametrize("limit", LIMITS)
def test_a_token_shows_a_hidden_checkpoint_outside_its_limits_to_nobody(
    hidden: Revision, release_owner: User, limit: str
) -> None:
    facts = LIMITS[limit]
    repositories = facts.get("repositories")
    token = factories.token(release_owner, *facts["scopes"], repositories=repositories)
    ask(Route("/api/whoami-v2"), "", "", token)
    for route, _ in NAMED:
        answer = ask(route, HIDDEN, hidden.sha, token)
        assert answer == ask(route, UNKNOWN, hidden.sha, token), route
        if not route.address.startswith("/api/v1/gate"):  # its own status is 200
            assert answer[0] == 404, route
        assert "repository_not_found" in answer[1] or "RepoNotFound" in answer[1], route
        stranger = ask(route, HIDDEN, hidden.sha, "")
        if stranger[0] != 401:  # the route is for anybody
            assert answer == stranger, route


@pytest.mark.requirement("GT-3", "TK-3")
@pytest.mark.parametrize("limit", LIMITS)
def test_no_list_names_a_hidden_checkpoint_outside_the_tokens_limits(
    hidden: Revision, release_owner: User, limit: str
) -> None:
    _download(hidden, release_owner)
    facts = LIMITS[limit]
    repositories = facts.get("repositories")
    token = factories.token(release_owner, *facts["scopes"], repositories=repositories)
    for address, text in LISTS.items():
        assert text not in _list(address, hidden, token), address
    link = CheckpointLink.objects.get(checkpoint=hidden.checkpoint)
    for rest in ("", "/revoke"):
        address = f"/api/v1/links/{link.public_id}{rest}"
        send = Client().post if rest else Client().get
        answer = send(address, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 404
        assert answer.json()["code"] == "link_not_found"


@pytest.mark.slow
@pytest.mark.parametrize("repositories", [None, [OTHER, HIDDEN]])
def test_a_token_within_whose_limits_it_lies_shows_it_on_every_route(
    hidden: Revision, release_owner: User, repositories: list[str] | None
) -> None:
    """What the tests above refuse is there to be seen."""
    token = factories.token(release_owner, "read-gated", repositories=repositories)
    embargoed = _is_embargoed(hidden)
    for route, status in NAMED:
        answer = ask(route, HIDDEN, hidden.sha, token)
        is_file = any(word in route.address for word in ("resolve", "plan", "links", "auth-check"))
        if embargoed and is_file and status < 300:
            assert answer[0] == 403, route
            assert "embargoed" in answer[1], route
        else:
            assert answer[0] == status, (route, answer[1])
    _download(hidden, release_owner)
    for address, text in LISTS.items():
        if repositories and "audit" in address:
            continue  # rows of other checkpoints are among them
        assert text in _list(address, hidden, token), address


def _download(hidden: Revision, owner: User) -> None:
    """Put a download into the ledger, and a recall of one file."""
    Checkpoint.objects.filter(pk=hidden.checkpoint_id).update(embargo_until=None)
    address = f"/{HIDDEN}/resolve/main/README.md"
    token = factories.token(owner, "read-gated")
    response = Client().get(address, headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200
    b"".join(response.streaming_content)  # type: ignore[attr-defined]
    Checkpoint.objects.filter(pk=hidden.checkpoint_id).update(private=True)
    only = File.objects.get(revision=hidden, path="only.json")
    opening.open_by_check(only.blob, "A check found other bytes")


def _list(address: str, hidden: Revision, token: str) -> str:
    sha256 = File.objects.get(revision=hidden, path="only.json").sha256
    where = address.replace("{sha256}", sha256)
    return Client().get(where, headers={"Authorization": f"Bearer {token}"}).text


def test_a_token_limited_to_other_checkpoints_neither_publishes_nor_decides_here(
    gated_tier: Tier, release_owner: User, lead_reviewer: User
) -> None:
    factories.published("acme/gated", gated_tier)
    doors = [
        ("/api/models/acme/gated/auth-check/write", release_owner, "write"),
        ("/api/models/acme/gated/user-access-request/pending", lead_reviewer, "admin"),
    ]
    for address, person, scope in doors:
        for repositories, status in (([OTHER], 403), (["acme/gated"], 200), (None, 200)):
            token = factories.token(person, scope, repositories=repositories)
            response = Client().get(address, headers={"Authorization": f"Bearer {token}"})
            assert response.status_code == status, (address, repositories)
            assert (response.headers.get("X-Refusal-Code") == "token_scope") is (status == 403)


def test_a_manifest_is_cached_for_minutes_and_only_while_anybody_may_have_it(
    open_tier: Tier, gated_tier: Tier, release_owner: User
) -> None:
    revision = factories.published("acme/one", open_tier)
    token = factories.token(release_owner, "read-gated")
    ends = [f"{revision.sha}.json", f"{revision.sha}/SHA256SUMS"]
    expected: list[tuple[dict[str, Any], str, str]] = [
        ({}, "", "public, max-age=300"),
        ({}, token, "private, no-store"),
        ({"tier": gated_tier}, "", "private, no-store"),
        ({"private": True}, token, "private, no-store"),
    ]
    for facts, credential, cache_control in expected:
        Checkpoint.objects.filter(pk=revision.checkpoint_id).update(**facts)
        headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        for end in ends:
            response = Client().get(f"/acme/one/manifest/{end}", headers=headers)
            assert response.status_code == 200
            assert response["Cache-Control"] == cache_control, (facts, end)
