"""A draft checkpoint of the release owner, and helpers that commit to it."""

import pytest

from accounts.tiers.models import Tier
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.publishing.drafts import checkpoints


@pytest.fixture
def draft(store: object, gated_tier: Tier, release_owner: User) -> Checkpoint:
    """`lab/opt` in the gated tier, created by the release owner as a client does."""
    checkpoint, _ = checkpoints.create_draft("lab", "opt", by=release_owner)
    return checkpoint
