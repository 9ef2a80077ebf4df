"""An owner lists, publishes and discards drafts with the API."""

from typing import Any

import pytest
from django.test import Client

from accounts.api_tokens.models import ApiToken
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.publishing.drafts.making import CARD, committed, verify_all
from weights.catalogue.models import Checkpoint
from weights.publishing.drafts import checkpoints
from weights.publishing.drafts.commits import AddFile
from weights.publishing.models import Revision

pytestmark = pytest.mark.usefixtures("store")

DRAFTS = "/api/v1/checkpoints/lab/opt/drafts"


@pytest.fixture
def draft(gated_tier: Tier, release_owner: User) -> Revision:
    checkpoint, _ = checkpoints.create_draft("lab", "opt", by=release_owner)
    return committed(checkpoint, release_owner)


def client(owner: User, *scopes: str, **facts: Any) -> Client:
    token = factories.token(owner, *(scopes or ["write"]), **facts)
    return Client(headers={"Authorization": f"Bearer {token}"})


def publish(sender: Client, revision: str, **body: Any) -> Any:
    address = f"{DRAFTS}/{revision}/publish"
    return sender.post(address, body, content_type="application/json")


def test_an_owner_lists_and_publishes_a_draft(draft: Revision, release_owner: User) -> None:
    sender = client(release_owner)
    [listed] = sender.get("/api/v1/drafts").json()
    assert (listed["repo"], listed["revision"]) == ("lab/opt", draft.sha)
    assert (listed["files"], listed["waiting"], listed["failures"]) == (2, 2, [])
    verify_all()
    answer = publish(sender, draft.sha, private=True)
    expected = {
        "repo": "lab/opt",
        "revision": draft.sha,
        "state": "visible",
        "change_request": None,
    }
    assert (answer.status_code, answer.json()) == (200, expected)
    assert publish(sender, draft.sha).status_code == 200
    late = publish(sender, draft.sha, private=False)
    assert (late.status_code, late.json()["code"]) == (409, "publish_refused")
    assert sender.get("/api/v1/drafts").json() == []
    assert Checkpoint.objects.get(name="opt").private


def test_a_refusal_names_a_file_as_it_is_written(draft: Revision, release_owner: User) -> None:
    evil = AddFile("x.pkl", b"cos\nsystem\n(S'true'\ntR.")
    refused = committed(draft.checkpoint, release_owner, evil)
    verify_all()
    answer = publish(client(release_owner), refused.sha)
    assert answer.json()["detail"].startswith("x.pkl contains bytes that are in quarantine")


def test_release_notes_come_with_the_publication_or_not_at_all(
    draft: Revision, release_owner: User
) -> None:
    sender = client(release_owner)
    long = publish(sender, draft.sha, notes="x" * 10_001)
    assert (long.status_code, long.json()["code"]) == (422, "invalid_request")
    past = publish(sender, draft.sha, notes="Never", embargo_until="2020-01-01T00:00:00Z")
    assert past.status_code == 422
    draft.refresh_from_db()
    assert (draft.state, draft.message) == ("draft", "Add files")

    sent = {"notes": "First release\n\nTrained on sheep."}
    assert publish(sender, draft.sha, **sent).status_code == 200
    draft.refresh_from_db()
    assert (draft.state, draft.message) == ("pending", sent["notes"])
    assert publish(sender, draft.sha, **sent).status_code == 200
    assert publish(sender, draft.sha, notes="Other").status_code == 409


def test_an_owner_discards_a_draft(draft: Revision, release_owner: User) -> None:
    sender = client(release_owner)
    answer = sender.delete(f"{DRAFTS}/{draft.sha}")
    assert (answer.status_code, answer.json()["state"]) == (200, "discarded")
    again = sender.delete(f"{DRAFTS}/{draft.sha}")
    assert (again.status_code, again.json()["code"]) == (404, "revision_not_found")


def test_a_token_made_after_an_old_sign_in_does_neither(
    draft: Revision, release_owner: User
) -> None:
    sender = client(release_owner, "write", "read-gated")
    ApiToken.objects.update(recently_authenticated=False)
    for answer in (publish(sender, draft.sha), sender.delete(f"{DRAFTS}/{draft.sha}")):
        code = answer.json()["code"]
        assert (answer.status_code, code) == (403, "recent_authentication_required")
    draft.refresh_from_db()
    assert draft.state == Revision.State.DRAFT


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"embargo_until": "2020-01-01T00:00:00"}, 422, "invalid_value"),
        ({"embargo_until": "soon"}, 422, "invalid_request"),
        ({"embargo_untill": "2100-01-01T00:00:00Z"}, 422, "invalid_request"),
        ({}, 409, "findings_refused"),
    ],
)
def test_a_refusal_has_its_code(
    draft: Revision, release_owner: User, body: dict[str, Any], status: int, code: str
) -> None:
    broken = AddFile("model.bin", b"")
    revision = committed(draft.checkpoint, release_owner, CARD, broken)
    answer = publish(client(release_owner), revision.sha, **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_nobody_else_publishes_or_discards(
    draft: Revision, release_owner: User, other_person: User, administrator: User
) -> None:
    allowed = {
        "read": client(release_owner, "read-gated"),
        "elsewhere": client(release_owner, repositories=["lab/other"]),
        "other": client(other_person),
        "administrator": client(administrator, "write", "read-gated"),
        "nobody": Client(),
    }
    for name, sender in allowed.items():
        for address in (draft.sha, "main", "\u202e", "none"):
            assert publish(sender, address).status_code in {401, 403, 404}, name
            assert sender.delete(f"{DRAFTS}/{address}").status_code in {401, 403, 404}, name
        assert draft.sha not in sender.get("/api/v1/drafts").text, name
    hidden = publish(client(other_person), draft.sha).json()
    address = "/api/v1/checkpoints/lab/none/drafts/main/publish"
    unknown = client(other_person).post(address, {}, content_type="application/json").json()
    assert hidden["code"] == unknown["code"] == "repository_not_found"
    draft.refresh_from_db()
    assert draft.state == Revision.State.DRAFT
