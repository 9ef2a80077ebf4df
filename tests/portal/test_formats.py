"""Times in the admin have their zone and 24 hours."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from accounts.grants.models import Grant
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


def test_lists_of_the_admin_name_the_hour_and_its_zone(
    client: Client, lead_reviewer: User, applicant: User, gated_tier: Tier
) -> None:
    grant = factories.grant(applicant, gated_tier)
    Grant.objects.filter(pk=grant.pk).update(expires_at=datetime(2031, 3, 9, 19, 5, tzinfo=UTC))
    client.force_login(lead_reviewer)
    page = client.get(reverse("admin:accounts_grant_changelist")).text
    assert "9 Mar 2031, 19:05 UTC" in page
    assert "p.m." not in page
