"""Only its owners see anything of a draft, and nobody gets an unverified byte."""

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from accounts.api_tokens.models import ApiToken
from accounts.roles.permissions import Role
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.publishing.drafts.making import committed, uploaded, verify_all
from weights.catalogue.models import Checkpoint
from weights.delivery import file_links
from weights.errors import GateRefused
from weights.gate.caller import token_caller
from weights.publishing.drafts import branches, checkpoints
from weights.publishing.drafts.commits import AddFile
from weights.publishing.models import Revision
from weights.storage.models import Blob

pytestmark = pytest.mark.usefixtures("shared_setup")

SECRET, MESSAGE = "secret-draft.txt", b"nobody reads this yet"
BRANCH, ABSENT, NO_SHA = "hidden-branch", "absent-branch", "0" * 40

#: Routes that name a revision; `{rev}` stands for it.
NAMING = [
    f"/lab/open/resolve/{{rev}}/{SECRET}",
    f"/lab/open/raw/{{rev}}/{SECRET}",
    "/api/models/lab/open/revision/{rev}?blobs=true",
    "/api/models/lab/open/tree/{rev}",
    "/api/models/lab/open/tree/{rev}?recursive=1&expand=1",
    "/api/models/lab/open/commits/{rev}",
    "/api/v1/checkpoints/lab/open/files?revision={rev}",
    "/api/v1/checkpoints/lab/open/plan?revision={rev}",
    f"/api/v1/gate?repo=lab/open&revision={{rev}}&path={SECRET}",
    "/lab/open/tree/{rev}",
    f"/lab/open/blob/{{rev}}/{SECRET}",
    "/lab/open/commits/{rev}",
    "/lab/open/compare/main...{rev}",
    "/lab/open/manifest/{rev}.json",
    "/lab/open/manifest/{rev}.sig",
    "/lab/open/manifest/{rev}/SHA256SUMS",
]
#: Routes that list or count.
LISTING = [
    *("/", "/models", "/models?q=secret", "/lab", "/lab/open", "/lab/open/commits/main"),
    *("/lab/open/tree/main", "/sitemap.xml", "/releases.atom", "/recalls/feed.atom"),
    *("/api/models", "/api/models?search=lab&full=true", "/api/models/lab/open"),
    *("/api/models/lab/open/refs", "/api/models/lab/open/commits/main"),
    *("/api/v1/checkpoints", "/api/v1/checkpoints/lab/open"),
    *("/api/v1/checkpoints/lab/open/revisions", "/api/v1/files/{sha256}"),
    *("/api/v1/transparency/integrity", "/api/v1/drafts"),
]
#: Routes of a checkpoint that was never published, beside an unknown one.
OF_A_DRAFT = [
    *("/lab/{name}", "/lab/{name}/tree/main", f"/lab/{{name}}/resolve/main/{SECRET}"),
    *("/api/models/lab/{name}", "/api/models/lab/{name}/refs", "/api/v1/checkpoints/lab/{name}"),
    *("/api/models/lab/{name}/tree/main", "/lab/{name}/commits/main"),
    *("/lab/{name}/tree/refs/heads/main", "/lab/{name}/blob/main/" + SECRET),
]


class World:
    """An open checkpoint with a draft on its branch, and one of drafts alone."""

    def __init__(self, owner: User, tier: Tier) -> None:
        self.owner, self.tier = owner, tier
        factories.published("lab/open", tier)
        self.checkpoint = Checkpoint.objects.get(name="open")
        branches.create_branch(self.checkpoint, BRANCH, by=owner)
        on_main = AddFile(SECRET, MESSAGE)
        self.draft = committed(self.checkpoint, owner, on_main)
        again = AddFile("another-" + SECRET, MESSAGE)
        self.on_branch = committed(self.checkpoint, owner, again, on_main, branch=BRANCH)
        self.hidden, _ = checkpoints.create_draft("lab", "hidden", by=owner, tier=tier)
        self.hidden_draft = committed(self.hidden, owner, AddFile(SECRET, MESSAGE))
        verify_all()
        self.file = self.draft.files.get(path=SECRET)
        # Its branch names the draft itself, as one does that was created from a draft.
        self.checkpoint.refs.filter(name=BRANCH).update(revision=self.on_branch)

    def marks(self) -> list[str]:
        shas = [one.sha for one in (self.draft, self.on_branch, self.hidden_draft)]
        return [*shas, *(sha[:12] for sha in shas), SECRET, MESSAGE.decode(), self.file.sha256]


@pytest.fixture(scope="module")
def shared_world(shared_setup: DjangoDbBlocker) -> World:
    with shared_setup.unblock():
        owner = factories.staff("keeper", Role.RELEASE_OWNER)
        return World(owner, factories.tier("open", AccessMode.OPEN))


@pytest.fixture
def world(shared_world: World, db: None) -> World:
    return deepcopy(shared_world)


def bearer(token: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {token}"})


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def _suspended(world: World) -> Client:
    token = factories.token(world.owner, "write", "read-gated")
    User.objects.filter(pk=world.owner.pk).update(suspended_at=timezone.now())
    return bearer(token)


def _revoked(world: World) -> Client:
    token = factories.token(world.owner, "write", "read-gated")
    ApiToken.objects.update(revoked_at=timezone.now())
    return bearer(token)


def _stale(world: World) -> Client:
    token = factories.token(world.owner, "write", "read-gated")
    ApiToken.objects.update(recently_authenticated=False)
    return bearer(token)


def _role_taken(world: World) -> Client:
    token = factories.token(world.owner, "write", "read-gated")
    world.owner.roles.get().withdraw(by=None)
    return bearer(token)


def _staff(role: Role, tier: Tier | None = None) -> User:
    return factories.staff(factories.word(), role, tier)


CALLERS: dict[str, Callable[[World], Client]] = {
    "anonymous": lambda world: Client(),
    "another person": lambda world: signed_in(factories.person()),
    "a token of another person": lambda world: bearer(
        factories.token(factories.person(), "read-gated", "write")
    ),
    "the owner's read token": lambda world: bearer(factories.token(world.owner, "read-gated")),
    "a write token for another checkpoint": lambda world: bearer(
        factories.token(world.owner, "write", "read-gated", repositories=["lab/other"])
    ),
    "an owner of another tier": lambda world: bearer(
        factories.token(_staff(Role.RELEASE_OWNER, factories.tier("x")), "write", "read-gated")
    ),
    "a session of an owner of another tier": lambda world: signed_in(
        _staff(Role.RELEASE_OWNER, factories.tier("x"))
    ),
    "a reviewer": lambda world: signed_in(_staff(Role.REVIEWER)),
    "a suspended owner": _suspended,
    "a revoked token": _revoked,
    "a token made after an old sign-in": _stale,
    "an owner whose role was taken": _role_taken,
}
#: They may know of hidden checkpoints (docs/glossary.md), but not of drafts.
PRIVATE_READERS: dict[str, Callable[[World], Client]] = {
    "an auditor": lambda world: signed_in(_staff(Role.AUDITOR)),
    "an auditor's token": lambda world: bearer(
        factories.token(_staff(Role.AUDITOR), "write", "read-gated")
    ),
    "an administrator": lambda world: signed_in(_staff(Role.ADMINISTRATOR)),
}


def body_of(response: Any) -> str:
    content = b"".join(response) if response.streaming else response.content
    return content.decode(errors="replace")


def answer(client: Client, address: str, *names: str) -> tuple[int, str, str]:
    """Status, code and body, without the names in the request."""
    cache.clear()  # no limit of requests is reached
    response = client.get(address)
    text = body_of(response)
    for name in (address, response.headers.get("X-Request-Id", ""), *names):
        text = text.replace(name, "X") if name else text
    text = re.sub(r'(name="csrfmiddlewaretoken" value|nonce)="[^"]*"', "", text)
    return response.status_code, response.headers.get("X-Error-Code", ""), text


@pytest.mark.requirement("GT-3", "IN-18")
@pytest.mark.parametrize("caller", [*CALLERS, *PRIVATE_READERS])
def test_a_draft_is_answered_as_a_name_that_does_not_exist(world: World, caller: str) -> None:
    client = (CALLERS | PRIVATE_READERS)[caller](world)
    for route in NAMING:
        for known, unknown in ((world.draft.sha, NO_SHA), (BRANCH, ABSENT)):
            found = answer(client, route.format(rev=known), known, known[:12])
            missing = answer(client, route.format(rev=unknown), unknown, unknown[:12])
            assert found[:2] == missing[:2], route
            assert len(found[2]) == len(missing[2]), route
            assert not re.search("|".join(world.marks()), found[2].replace(SECRET, "")), route


@pytest.mark.requirement("GT-3", "IN-18")
@pytest.mark.parametrize("caller", [*CALLERS, *PRIVATE_READERS])
def test_no_list_and_no_count_shows_a_draft(world: World, caller: str) -> None:
    client = (CALLERS | PRIVATE_READERS)[caller](world)
    marks = re.compile("|".join([*world.marks(), BRANCH]))
    for route in LISTING:
        address = route.format(sha256=world.file.sha256)
        response = client.get(address)
        text = body_of(response).replace(world.file.sha256, "") if "{" in route else ""
        found = marks.search(text or body_of(client.get(address)).replace(address, ""))
        assert found is None or "{" in route, (route, found and found[0])
        if "{" in route:
            assert response.status_code in {401, 404}, route


#: A token with `read-gated` shows the catalogue's entry of a private checkpoint to its owner.
STRANGERS = sorted(CALLERS.keys() - {"the owner's read token", "a token made after an old sign-in"})


@pytest.mark.parametrize("caller", STRANGERS)
def test_a_checkpoint_of_drafts_alone_is_answered_as_an_unknown_one(
    world: World, caller: str
) -> None:
    client = CALLERS[caller](world)
    for route in OF_A_DRAFT:
        found = answer(client, route.format(name="hidden"), "hidden")
        missing = answer(client, route.format(name="absent"), "absent")
        assert found[:2] == missing[:2], route
        assert found[0] in {401, 404}, route


def test_paths_info_and_links_do_not_reach_a_draft(world: World) -> None:
    form = {"paths": [SECRET]}
    for revision in (world.draft.sha, BRANCH):
        answered = Client().post(f"/api/models/lab/open/paths-info/{revision}", form)
        assert answered.status_code == 404
    link = factories.link_token(world.owner, world.draft)
    assert Client().get(f"/d/{link}/{SECRET}").status_code == 404
    assert MESSAGE not in Client().get(f"/d/{link}/").content
    caller = token_caller(f"Bearer {factories.token(world.owner, 'write')}")
    with pytest.raises(GateRefused, match="no revision"):
        file_links.issue(caller, "lab/open", world.draft.sha, SECRET)


# -- owners -------------------------------------------------------------------------------


@pytest.mark.parametrize("scopes", [["write"], ["write", "read-gated"]])
def test_an_owners_write_token_reaches_drafts_by_branch_and_by_id(
    world: World, scopes: list[str]
) -> None:
    client = bearer(factories.token(world.owner, *scopes))
    for revision in ("main", world.draft.sha):
        resolved = client.get(f"/lab/open/resolve/{revision}/{SECRET}")
        assert (resolved.status_code, body_of(resolved)) == (200, MESSAGE.decode())
        info = client.get(f"/api/models/lab/open/revision/{revision}").json()
        assert info["sha"] == world.draft.sha
        tree = client.get(f"/api/models/lab/open/tree/{revision}?expand=1").json()
        assert SECRET in [entry["path"] for entry in tree]
        commits = client.get(f"/api/models/lab/open/commits/{revision}").json()
        assert commits[0]["id"] == world.draft.sha
    refs = client.get("/api/models/lab/open/refs").json()["branches"]
    heads = {one["name"]: one["targetCommit"] for one in refs}
    assert heads == {"main": world.draft.sha, BRANCH: world.on_branch.sha}
    hidden = client.get("/api/models/lab/hidden")
    assert (hidden.status_code, hidden.json()["sha"]) == (200, world.hidden_draft.sha)
    resolved = client.get(f"/lab/hidden/resolve/main/{SECRET}")
    assert (resolved.status_code, body_of(resolved)) == (200, MESSAGE.decode())
    assert client.get("/api/models/lab/hidden/refs").json()["branches"][0]["name"] == "main"


def test_an_owners_session_reaches_a_draft_by_its_id_alone(world: World) -> None:
    client = signed_in(world.owner)
    by_id = client.get(f"/lab/open/tree/{world.draft.sha}")
    assert by_id.status_code == 200
    assert SECRET in by_id.text
    assert "Only release owners" in by_id.text
    page = client.get(f"/lab/open/blob/{world.draft.sha}/{SECRET}")
    assert MESSAGE.decode() in page.text
    assert SECRET not in client.get("/lab/open/tree/main").text
    assert client.get(f"/lab/open/resolve/main/{SECRET}").status_code == 404
    assert client.get(f"/lab/open/resolve/{world.draft.sha}/{SECRET}").status_code == 200


def test_an_owners_pages_show_a_draft_by_a_branch_that_has_nothing_published(world: World) -> None:
    client = signed_in(world.owner)
    for repo, branch, draft in (
        ("hidden", "main", world.hidden_draft),
        ("open", BRANCH, world.on_branch),
    ):
        page = client.get(f"/lab/{repo}/tree/{branch}")
        assert page.status_code == 200
        assert "Only release owners" in page.text
        # A download by session names the id.
        assert f"/lab/{repo}/blob/{draft.sha}/{SECRET}" in page.text
        for ref in (branch, f"refs/heads/{branch}"):
            history = client.get(f"/lab/{repo}/commits/{ref}")
            assert history.status_code == 200
            assert draft.sha in history.text
            assert "not published" in history.text
        assert MESSAGE.decode() in client.get(f"/lab/{repo}/blob/{branch}/{SECRET}").text
        assert client.get(f"/lab/{repo}/commits/{draft.sha}").status_code == 200
        for kind in ("tree", "commits"):
            assert client.get(f"/lab/{repo}/{kind}/{ABSENT}").status_code == 404
    assert world.draft.sha not in client.get("/lab/open/commits/main").text


@pytest.mark.requirement("IN-18", "ST-4")
@pytest.mark.parametrize("state", ["uploaded", "hashing", "scanning", "quarantined"])
def test_an_unverified_byte_is_served_to_nobody(world: World, state: str) -> None:
    Blob.objects.filter(pk=world.file.blob_id).update(state=state)
    by_token = bearer(factories.token(world.owner, "write", "read-gated"))
    for client in (by_token, signed_in(world.owner)):
        for repo in ("open", "hidden"):
            sha = {"open": world.draft, "hidden": world.hidden_draft}[repo].sha
            for route in ("resolve", "raw"):
                answered = client.get(f"/lab/{repo}/{route}/{sha}/{SECRET}")
                assert answered.status_code in {401, 403, 404}
                assert MESSAGE.decode() not in body_of(answered)
        page = client.get(f"/lab/open/blob/{world.draft.sha}/{SECRET}")
        assert MESSAGE.decode() not in body_of(page)


def test_published_weights_of_a_gated_checkpoint_take_a_grant_in_a_draft_too(
    release_owner: User, gated_tier: Tier
) -> None:
    factories.published("lab/gated", gated_tier)
    checkpoint = Checkpoint.objects.get(name="gated")
    own = uploaded(checkpoint, release_owner, "new.safetensors", factories.safetensors(b"new"))
    committed(checkpoint, release_owner, own, AddFile("notes.txt", b"notes"))
    verify_all()
    client = bearer(factories.token(release_owner, "write", "read-gated"))

    def status(path: str) -> int:
        return client.get(f"/lab/gated/resolve/main/{path}").status_code

    assert status("model.safetensors") == 403
    assert (status("new.safetensors"), status("notes.txt"), status("README.md")) == (200, 200, 200)
    factories.grant(release_owner, gated_tier)
    assert status("model.safetensors") == 200


def test_a_failed_publication_is_reached_by_its_id_alone(world: World) -> None:
    Revision.objects.filter(pk=world.draft.pk).update(state=Revision.State.FAILED)
    client = bearer(factories.token(world.owner, "write"))
    assert client.get(f"/api/models/lab/open/tree/{world.draft.sha}").status_code == 200
    main = client.get("/api/models/lab/open/revision/main").json()
    assert main["sha"] not in {world.draft.sha, world.on_branch.sha}
