"""Installs with two operators: acts that open a gate wait for a second person."""

import pytest
from pytest_django import Settings

from accounts.change_requests.models import ChangeRequest
from accounts.roles.permissions import Role
from accounts.tiers import services
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories


@pytest.fixture(autouse=True)
def _two_operators(settings: Settings) -> None:
    settings.SINGLE_OPERATOR = False


@pytest.fixture
def second_owner(db: None) -> User:
    return factories.staff("second", Role.RELEASE_OWNER)


@pytest.fixture
def lowering(gated_tier: Tier, release_owner: User, second_owner: User) -> ChangeRequest:
    """A release owner's request to open the gated tier; `second_owner` may confirm it."""
    gated_tier.mode = AccessMode.OPEN
    saved = services.save_tier(gated_tier, by=release_owner, reason="The paper is out.")
    assert saved.waiting is not None
    return saved.waiting
