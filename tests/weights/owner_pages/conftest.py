"""A draft checkpoint of the signed-in release owner."""

import pytest
from django.test import Client

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.weights.publishing.drafts.making import committed, verify_all
from weights.catalogue.models import Checkpoint
from weights.publishing.drafts import checkpoints
from weights.publishing.models import Revision

BASE = "/my-checkpoints/lab/opt/"


@pytest.fixture
def owner(client: Client, release_owner: User) -> Client:
    client.force_login(release_owner)
    return client


@pytest.fixture
def checkpoint(store: object, gated_tier: Tier, release_owner: User) -> Checkpoint:
    made, _ = checkpoints.create_draft("lab", "opt", by=release_owner)
    return made


@pytest.fixture
def draft(checkpoint: Checkpoint, release_owner: User) -> Revision:
    """A verified draft of a card and of weights."""
    revision = committed(checkpoint, release_owner)
    verify_all()
    return revision
