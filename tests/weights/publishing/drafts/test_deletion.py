"""What a client's deletes and moves never affect."""

import pytest

from accounts.errors import TransitionRefused
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.weights.publishing.drafts.making import CARD, committed
from weights.catalogue.models import Checkpoint
from weights.publishing.drafts import checkpoints
from weights.publishing.drafts.publication import publish_draft


def test_an_entry_of_the_catalogue_is_neither_deleted_nor_renamed(
    gated_tier: Tier, release_owner: User
) -> None:
    entry = Checkpoint.objects.create(org="facebook", name="opt-30b", tier=gated_tier)
    with pytest.raises(TransitionRefused, match="catalogue entry"):
        checkpoints.delete(entry, by=release_owner)
    with pytest.raises(TransitionRefused, match="catalogue entry"):
        checkpoints.rename(entry, "facebook/other", by=release_owner)
    entry.refresh_from_db()
    assert entry.repo_id == "facebook/opt-30b"


def test_a_publication_that_is_being_verified_is_withdrawn_and_not_deleted(
    draft: Checkpoint, release_owner: User
) -> None:
    revision = committed(draft, release_owner, CARD)
    publish_draft(revision, by=release_owner)
    checkpoints.delete(draft, by=release_owner)
    revision.refresh_from_db()
    assert (revision.state, revision.state_reason) == ("withdrawn", checkpoints.DELETED)
