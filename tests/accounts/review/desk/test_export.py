"""The queue as CSV: its rows, its cells, and the audit event of an export."""

import csv
import io

import pytest
from django.test import Client
from django.urls import reverse

from accounts.applications.workflow import claims
from accounts.audit.models import AuditEvent
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.django_db

EXPORT = reverse("admin:accounts_application_export")


def rows(client: Client, **query: str) -> list[dict[str, str]]:
    answer = client.get(EXPORT, query)
    assert answer.status_code == 200
    assert answer.streaming
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text)))


def test_rows_are_those_of_the_filter_with_formulas_guarded(
    client: Client, reviewer: User, gated_tier: Tier
) -> None:
    answers = {
        **factories.ANSWERS,
        "title": '=HYPERLINK("http://evil.example")',
        "org_name": "大學",
    }
    shown = factories.submitted(factories.person(), gated_tier, answers)
    claims.claim(factories.submitted(factories.person(), gated_tier), by=reviewer)
    client.force_login(reviewer)
    found = rows(client, claimer="nobody")
    assert [row["reference"] for row in found] == [shown.reference]
    assert found[0]["project"] == '\'=HYPERLINK("http://evil.example")'
    assert (found[0]["organisation"], found[0]["state"]) == ("大學", "submitted")


def test_it_is_written_down_without_what_was_searched_for(
    client: Client, auditor: User, applicant: User, gated_tier: Tier
) -> None:
    factories.submitted(applicant, gated_tier)
    client.force_login(auditor)
    assert len(rows(client, state="open", q="Ada")) == 1
    event = AuditEvent.objects.get(action="application.export")
    assert event.actor_name == "auditor"
    assert event.details == {"rows": 1, "filters": {"state": "open", "q": "searched"}}


def test_rows_of_another_tier_are_left_out(
    client: Client, applicant: User, gated_tier: Tier
) -> None:
    factories.submitted(applicant, gated_tier)
    client.force_login(factories.staff("elsewhere", Role.REVIEWER, factories.tier("another")))
    assert rows(client) == []
