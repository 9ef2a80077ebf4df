"""Drafts disclose nothing: neither their branches, nor files of a stricter tier."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.change_requests.models import ChangeRequest
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.publishing.drafts.making import CARD, WEIGHTS, committed, verify_all
from weights.catalogue.models import Checkpoint
from weights.errors import InvalidName
from weights.publishing.drafts import branches, checkpoints, queries
from weights.publishing.drafts.commits import AddFile
from weights.publishing.drafts.publication import publish_draft


def test_a_branch_of_a_draft_is_on_no_page(store: object, release_owner: User) -> None:
    checkpoint = factories.published("acme/model").checkpoint
    branches.create_branch(checkpoint, "secret-name", by=release_owner)
    committed(checkpoint, release_owner, CARD, branch="secret-name")
    branches.create_branch(
        checkpoint, "other-secret", by=release_owner, starting_point="secret-name"
    )
    for page in ("tree/main", "commits/main", ""):
        content = Client().get(f"/acme/model/{page}".rstrip("/")).content.decode()
        assert "other-secret" not in content


@pytest.mark.slow
def test_publishing_a_branch_names_no_other_that_carries_drafts(
    store: object, release_owner: User, open_tier: Tier
) -> None:
    checkpoint, _ = checkpoints.create_draft("lab", "opt", by=release_owner, tier=open_tier)
    draft = committed(checkpoint, release_owner)
    for name in ("secretbranch", "same"):
        branches.create_branch(checkpoint, name, by=release_owner)
    first, second = (
        committed(checkpoint, release_owner, AddFile(name, b"x"), branch="secretbranch")
        for name in ("first.txt", "second.txt")
    )
    verify_all()
    publish_draft(draft, by=release_owner)
    for page in ("/lab/opt/commits/main", "/lab/opt/tree/main", "/api/models/lab/opt/refs"):
        text = Client().get(page).text
        assert "main" in text, page
        assert "secretbranch" not in text, page
    assert "secretbranch" not in Client().get("/releases.atom").text
    assert Client().get("/lab/opt/tree/secretbranch").status_code == 404
    # A branch without drafts of its own is one of the published revision.
    assert "same" in Client().get("/api/models/lab/opt/refs").text
    assert queries.branch_head(checkpoint.pk, "secretbranch") == second
    publish_draft(first, by=release_owner)
    shown = Client().get("/api/models/lab/opt/refs").json()["branches"]
    heads = {one["name"]: one["targetCommit"] for one in shown}
    assert heads == {"main": draft.sha, "same": draft.sha, "secretbranch": first.sha}


@pytest.mark.parametrize("hidden", [{"private": True}, {"embargo_until": timedelta(days=1)}])
def test_files_in_a_hidden_checkpoint_of_the_tier_still_wait_for_a_second_person(
    store: object,
    gated_tier: Tier,
    open_tier: Tier,
    release_owner: User,
    hidden: dict[str, object],
    settings: Settings,
) -> None:
    settings.SINGLE_OPERATOR = False
    facts = {
        name: timezone.now() + value if isinstance(value, timedelta) else value
        for name, value in hidden.items()
    }
    files = {"model.safetensors": WEIGHTS}
    factories.published("acme/gated", gated_tier, files)
    factories.published("acme/hidden", open_tier, files, **facts)
    draft, _ = checkpoints.create_draft("lab", "open", by=release_owner, tier=open_tier)
    request = publish_draft(committed(draft, release_owner), by=release_owner)
    assert isinstance(request, ChangeRequest)
    Checkpoint.objects.filter(name="hidden").update(private=False, embargo_until=None)
    draft, _ = checkpoints.create_draft("lab", "next", by=release_owner, tier=open_tier)
    assert publish_draft(committed(draft, release_owner), by=release_owner) is None


@pytest.mark.parametrize("path", [".git/config", "sub/.GIT/hooks/post-checkout"])
def test_a_commit_writes_nothing_that_git_would_run(
    draft: Checkpoint, release_owner: User, path: str
) -> None:
    with pytest.raises(InvalidName, match="folder that git"):
        committed(draft, release_owner, AddFile(path, b"[core]\nfsmonitor = ./run\n"))
