"""A gated checkpoint, and a person with access to it."""

from pathlib import Path

import pytest

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.publishing.models import Revision


@pytest.fixture
def gated(store: Path, gated_tier: Tier) -> Revision:
    return factories.published("acme/gated", gated_tier)


@pytest.fixture
def holder(gated_tier: Tier) -> User:
    user = factories.person("holder")
    factories.grant(user, gated_tier)
    return user
