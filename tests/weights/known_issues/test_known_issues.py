"""Known issues and findings that staff publish: who sees them, and the list of all."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ApiClient
from weights.known_issues.models import KnownIssue
from weights.reports import submission, triage

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def test_issues_of_a_private_checkpoint_are_hidden_from_outsiders(
    client: Client, release_owner: User
) -> None:
    secret = factories.published("acme/secret", private=True).checkpoint
    report = submission.submit("finding", "x" * 50, checkpoint=secret)
    triage.publish(
        report,
        "finding",
        title="A hidden finding",
        text="x" * 30,
        by=release_owner,
        checkpoint=None,
    )
    assert "A hidden finding" not in client.get("/findings/").text
    assert "A hidden finding" not in client.get(report.get_absolute_url()).text
    assert "acme/secret" not in client.get(report.get_absolute_url()).text
    assert ApiClient().get("/issues")["total"] == 0


def test_the_list_of_findings_needs_two_queries_however_long_it_is(
    client: Client,
    gated_tier: Tier,
    release_owner: User,
    django_assert_num_queries: Callable[..., Any],
) -> None:
    checkpoint = factories.published("acme/weights", gated_tier).checkpoint
    for number in range(12):
        KnownIssue.objects.create(
            kind="finding",
            checkpoint=checkpoint,
            title=f"Finding {number}",
            text="x",
            by=release_owner,
        )
    with django_assert_num_queries(2):
        assert "Finding 11" in client.get("/findings/").text
