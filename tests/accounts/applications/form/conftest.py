"""Fixtures of the application form."""

import pytest
from django.test import Client

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.applications.form_filler import FormFiller


@pytest.fixture
def signed_in(client: Client, applicant: User) -> Client:
    client.force_login(applicant)
    return client


@pytest.fixture
def filler(signed_in: Client, gated_tier: Tier, applicant: User) -> FormFiller:
    """The applicant with the form of the gated tier."""
    return FormFiller(signed_in, gated_tier, applicant)


@pytest.fixture
def begun(filler: FormFiller) -> FormFiller:
    filler.begin()
    return filler
