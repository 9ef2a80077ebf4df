"""The people and objects of the causes."""

from pathlib import Path

import pytest
from django.test import Client

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.logged_events.world import REPO, World
from tests.support import factories


@pytest.fixture
def world(
    client: Client,
    tmp_path: Path,
    applicant: User,
    reviewer: User,
    lead_reviewer: User,
    release_owner: User,
    administrator: User,
    gated_tier: Tier,
) -> World:
    return World(
        client,
        tmp_path,
        applicant,
        reviewer,
        lead_reviewer,
        release_owner,
        administrator,
        gated_tier,
        factories.published(REPO, gated_tier),
    )
