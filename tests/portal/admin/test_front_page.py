"""The first page of the admin: exceptions first, then the reader's work, then the index."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.applications.workflow import claims
from accounts.background.models import Heartbeat
from accounts.mail.models import OutgoingMail
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.reports.models import Report

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

INDEX = "/admin/"


def _fail_a_mail() -> None:
    OutgoingMail.objects.create(
        unique_key="k", kind="test", to="a@example.org", subject="S", text="T", state="failed"
    )


def test_what_is_wrong_comes_first_and_what_is_fine_is_folded(client: Client) -> None:
    _fail_a_mail()
    client.force_login(factories.staff("admin", Role.ADMINISTRATOR))
    page = client.get(INDEX).text
    folded = page.index("checks are fine</summary>")
    assert page.index("Mails that failed") < folded < page.index("My work")
    assert page.index("My work") < page.index("All records</summary>")
    assert page.index("Blobs in quarantine") > folded


def test_a_reader_sees_only_lines_whose_page_they_may_open(client: Client) -> None:
    _fail_a_mail()
    client.force_login(factories.staff("reviewer", Role.REVIEWER))
    page = client.get(INDEX).text
    assert "Mails that failed" not in page
    assert "Waiting applications" in page
    assert reverse("admin:weights_blob_changelist") not in page


@pytest.mark.slow
def test_my_work_counts_what_waits_for_the_reader(
    gated_tier: Tier, applicant: User, client: Client
) -> None:
    reviewer = factories.staff("rev", Role.REVIEWER)
    factories.submitted(factories.person("other"), gated_tier)
    claims.claim(factories.submitted(applicant, gated_tier), by=reviewer)
    client.force_login(reviewer)
    page = client.get(INDEX).text
    assert "Applications that I claimed: <strong>1</strong>" in page
    assert "Unclaimed applications: <strong>1</strong>" in page
    assert "Reports assigned to me" not in page
    client.force_login(factories.staff("owner", Role.RELEASE_OWNER))
    assert "Unclaimed applications" not in client.get(INDEX).text


def test_reports_are_counted_for_those_who_triage_them(client: Client) -> None:
    owner = factories.staff("owner", Role.RELEASE_OWNER)
    Report.objects.create(kind="bad_file", text="Wrong.", assigned_to=owner, state="triaged")
    client.force_login(owner)
    assert "Reports assigned to me: <strong>1</strong>" in client.get(INDEX).text


@pytest.mark.slow
def test_the_page_takes_the_same_queries_for_few_and_many_rows(
    gated_tier: Tier, client: Client
) -> None:
    Heartbeat.objects.create(name="mail", at=timezone.now())
    client.force_login(factories.staff("lead", Role.LEAD_REVIEWER))

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(INDEX).status_code == 200
        return len(queries)

    factories.submitted(factories.person("first"), gated_tier)
    count()
    before = count()
    for number in range(3):
        factories.submitted(factories.person(f"person{number}"), gated_tier)
    assert count() == before <= 60
