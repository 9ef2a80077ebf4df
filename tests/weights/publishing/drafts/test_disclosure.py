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
from tests.weights.publishing.drafts.making import CARD, WEIGHTS, committed
from weights.catalogue.models import Checkpoint
from weights.errors import InvalidName
from weights.publishing.drafts import branches, checkpoints
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
