"""Pages of organisations."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import Resolver404, resolve
from django.utils import timezone

from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from tests.support import factories
from tests.support.http.routes import ROUTES
from weights.catalogue import opt_family
from weights.catalogue.models import Checkpoint, Family

pytestmark = pytest.mark.django_db


def test_the_page_lists_checkpoints_by_size_and_families(client: Client) -> None:
    opt_family.load()
    page = client.get("/facebook")
    names = [one.checkpoint.name for one in page.context["checkpoints"]]
    assert names[0] == "opt-125m"
    assert names[-1] == "opt-175b"
    assert b"?family=opt" in page.content
    assert client.get("/Facebook").status_code == 200


def test_unknown_and_hidden_organisations_answer_alike(client: Client, open_tier: Tier) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    Checkpoint.objects.create(org="private", name="a", tier=open_tier, private=True)
    Checkpoint.objects.create(org="embargo", name="a", tier=open_tier, embargo_until=tomorrow)
    answers = {}
    for org in ("unknown", "private", "embargo"):
        answer = client.get(f"/{org}")
        assert answer.status_code == 404
        answers[org] = re.sub(
            rb"[\w-]{20,}", b"TOKEN", answer.content.replace(org.encode(), b"ORG")
        )
    assert len(set(answers.values())) == 1
    client.force_login(factories.staff("release", Role.RELEASE_OWNER))
    assert client.get("/private").status_code == client.get("/embargo").status_code == 200


def test_hidden_checkpoints_and_their_families_are_not_counted(
    client: Client, store: Path, open_tier: Tier
) -> None:
    hidden = Family.objects.create(slug="hidden", name="Hidden family")
    Checkpoint.objects.create(org="acme", name="a", tier=open_tier)
    Checkpoint.objects.create(org="acme", name="b", tier=open_tier, private=True, family=hidden)
    page = client.get("/acme")
    assert page.context["page"].paginator.count == 1
    assert b"Hidden family" not in page.content


def test_no_page_of_the_portal_is_shadowed(client: Client, open_tier: Tier) -> None:
    """A path of one segment leads to its own page, or to the one with a slash."""
    firsts = {route.address.strip("/").partition("/")[0] for route in ROUTES}
    firsts = {first for first in firsts if first and not set(first) & set("<>()?[]\\*+")}
    assert {"models", "logbook", "access", settings.ADMIN_PATH.partition("/")[0]} <= firsts
    for first in sorted(firsts):
        Checkpoint.objects.get_or_create(org=first, name="a", defaults={"tier": open_tier})
        try:
            name = resolve(f"/{first}").view_name
        except Resolver404:
            continue
        assert name != "weights:org-detail", first
    for first in ("access", "logbook", settings.ADMIN_PATH.partition("/")[0]):
        assert client.get(f"/{first}")["Location"] == f"/{first}/"


@pytest.mark.parametrize(
    "path", ["/a b", "/-a", "/" + "a" * 97, "/.hidden", "/%00", "/%3Cscript%3E"]
)
def test_names_that_no_organisation_has_are_not_found(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404
