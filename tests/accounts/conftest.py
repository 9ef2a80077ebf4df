"""A reviewer's client, and a waiting application."""

import pytest
from django.test import Client

from accounts.applications.models import Application
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories


@pytest.fixture
def application(applicant: User, gated_tier: Tier) -> Application:
    return factories.submitted(applicant, gated_tier)


@pytest.fixture
def desk(client: Client, reviewer: User) -> Client:
    client.force_login(reviewer)
    return client
