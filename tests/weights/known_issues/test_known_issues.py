"""Known issues and findings that staff publish: who sees them, and the complete list."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.audit.models import AuditEvent
from accounts.errors import InvalidValue
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ApiClient
from weights.catalogue.models import Checkpoint
from weights.known_issues import services
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


# -- added in the admin -------------------------------------------------------------------------


def _added(client: Client, checkpoint: Checkpoint, **changes: str) -> Any:
    form = {
        "kind": "issue",
        "path": "",
        "title": "It drops a token",
        "text": "At the end of each text.",
    }
    data = {**form, "checkpoint": str(checkpoint.pk), **changes}
    return client.post(reverse("admin:weights_knownissue_add"), data)


@pytest.mark.parametrize("role", [Role.RELEASE_OWNER, Role.LEAD_REVIEWER])
def test_staff_add_a_known_issue_without_a_report(
    client: Client, gated_tier: Tier, role: Role
) -> None:
    checkpoint = factories.published("acme/weights", gated_tier).checkpoint
    staff = factories.staff("staff", role, gated_tier)
    client.force_login(staff)
    assert _added(client, checkpoint).status_code == 302
    issue = KnownIssue.objects.get()
    assert (issue.by, issue.checkpoint, issue.report) == (staff, checkpoint, None)
    assert AuditEvent.objects.about(issue).get().action == "issue.published"
    assert "It drops a token" in Client().get("/acme/weights").text


def test_a_known_issue_names_a_file_of_its_checkpoint_and_says_enough(
    client: Client, gated_tier: Tier, release_owner: User
) -> None:
    checkpoint = factories.published("acme/weights", gated_tier).checkpoint
    client.force_login(release_owner)
    assert "has no such file" in _added(client, checkpoint, path="no-such-file").text
    assert "has no such file" in _added(client, checkpoint, path="\u202ea").text
    assert "at least 10 characters" in _added(client, checkpoint, title="Bad").text
    assert not KnownIssue.objects.exists()
    assert _added(client, checkpoint, path="config.json").status_code == 302
    assert KnownIssue.objects.get().path == "config.json"
    with pytest.raises(InvalidValue, match="has no file x"):
        services.publish(checkpoint, "issue", title="x", text="x", by=release_owner, path="x")


def test_staff_of_another_tier_do_not_add_issues(client: Client, gated_tier: Tier) -> None:
    checkpoint = factories.published("acme/weights", gated_tier).checkpoint
    other = factories.tier("another")
    client.force_login(factories.staff("other", Role.RELEASE_OWNER, other))
    assert _added(client, checkpoint).status_code == 403
    factories.published("acme/theirs", other)
    assert "Select a valid choice" in _added(client, checkpoint).text
    client.force_login(factories.staff("auditor", Role.AUDITOR))
    assert _added(client, checkpoint).status_code == 403
    assert not KnownIssue.objects.exists()
