"""Audit events as sentences, with the raw record behind them."""

import re
from itertools import chain
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.audit.event_tags import AccountsEvent, EventTag
from accounts.audit.models import AuditEvent
from accounts.audit.sentences import detail_lines, sentence
from accounts.roles.permissions import Role
from accounts.tiers import services as tiers
from accounts.tiers.models import Tier
from accounts.users import services as users
from accounts.users.models import User
from portal.audit.event_tags import PortalEvent
from tests.support import factories
from weights.catalogue import checkpoint_tiers
from weights.event_tags import WeightsEvent

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

TAGS = list[EventTag](chain(AccountsEvent, WeightsEvent, PortalEvent))
LIST = "admin:accounts_auditevent_changelist"


@pytest.mark.parametrize("tag", TAGS, ids=str)
def test_every_event_has_a_sentence(tag: EventTag) -> None:
    event = AuditEvent(action=tag, object_kind="blob", object_id="7", result="ok")
    event.actor_name = "ada"
    text = sentence(event, {("blob", "7"): "the blob 12ab"})
    assert re.fullmatch(r"(ada|the blob|The gate|The portal|Somebody)\b[\w ,;-]+", text), text
    assert ("the blob 12ab" in text) == ("{it}" in tag.sentence)
    assert "_" not in text
    assert EventTag.named(tag.value) is tag


def test_an_approval_reads_as_a_sentence_with_its_record_behind_it(
    gated_tier: Tier, applicant: User, reviewer: User, client: Client
) -> None:
    application = factories.submitted(applicant, gated_tier)
    factories.approved(application, reviewer)
    client.force_login(factories.staff("auditor", Role.AUDITOR))
    expected = (
        f"{reviewer.username} approved the application {application.reference} of "
        f"{applicant.username} for {gated_tier}"
    )
    assert expected in client.get(reverse(LIST)).text
    event = AuditEvent.objects.get(action="application.approve")
    page = client.get(reverse("admin:accounts_auditevent_change", args=[event.pk])).text
    assert expected in page
    shown, raw = page.split("Raw record", 1)
    assert "application.approve" not in shown
    assert "application.approve" in raw
    assert str(application.public_id) in raw


@pytest.mark.slow
def test_a_list_of_events_makes_one_query_for_each_kind_of_object(
    gated_tier: Tier, client: Client
) -> None:
    client.force_login(factories.staff("auditor", Role.AUDITOR))

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse(LIST)).status_code == 200
        return len(queries)

    factories.submitted(factories.person("first"), gated_tier)
    count()
    before = count()
    for number in range(4):
        factories.submitted(factories.person(f"person{number}"), gated_tier)
    assert count() == before


def test_an_object_that_is_gone_or_hidden_is_named_by_its_kind() -> None:
    event = AuditEvent(action="grant.revoked", object_kind="grant", object_id=str(uuid4()))
    event.result, event.actor_name = "not_allowed", "<b>ada</b>"
    assert sentence(event, {}) == f"<b>ada</b> revoked grant {event.object_id[:8]} (not allowed)"
    event.action = "unknown.deed"
    assert sentence(event, {}).startswith("<b>ada</b> did unknown.deed to grant ")


def test_details_are_words_and_units() -> None:
    details = {
        "stored_bytes": 2_000_000,
        "since": "2026-11-30T05:52:28.708200+00:00",
        "reasons": ["incomplete", "not_research"],
        "fields": {"term_days": [30, None]},
        "superuser": False,
    }
    assert list(detail_lines(details)) == [
        "Stored bytes: 2.0 MB (1.9 MiB)",
        "Since: 30 Nov 2026, 05:52 UTC",
        "Reasons: incomplete, not research",
        "Fields: term days 30, none",
        "Superuser: no",
    ]


def test_a_changed_tier_is_named_with_its_former_and_new_values(
    gated_tier: Tier, administrator: User
) -> None:
    gated_tier.term_days, gated_tier.approvals_needed = 90, 2
    tiers.save_tier(gated_tier, by=administrator)
    event = AuditEvent.objects.about(gated_tier).get()
    changed = "approvals needed from 1 to 2; days a grant lasts from 365 to 90"
    assert sentence(event, {}).endswith(f": {changed}")
    assert list(detail_lines(event.details)) == [
        "Approvals needed from 1 to 2",
        "Days a grant lasts from 365 to 90",
    ]


def test_a_changed_checkpoint_is_named_with_its_values_and_long_ones_with_their_length(
    store: Path, open_tier: Tier, administrator: User
) -> None:
    checkpoint = factories.published("acme/model", open_tier).checkpoint
    checkpoint.title, checkpoint.private, checkpoint.card = "New", True, "é" * 500
    checkpoint_tiers.save_checkpoint(checkpoint, by=administrator)
    event = AuditEvent.objects.about(checkpoint).get(action="checkpoint.changed")
    text = sentence(event, {})
    assert "title from none to New" in text
    assert "private from no to yes" in text
    assert "card from none to a text of 500 characters" in text


def test_a_changed_account_shows_flags_and_never_a_name_or_an_address(
    applicant: User, administrator: User
) -> None:
    applicant.email, applicant.is_active = "other@example.org", False
    users.change_account(applicant, ["email", "is_active"], by=administrator)
    event = AuditEvent.objects.get(action="account.changed")
    assert sentence(event, {}).endswith(": active from yes to no")
    assert "example.org" not in str(event.details)


def test_hostile_details_are_shown_as_text(applicant: User, client: Client) -> None:
    AuditEvent.record(
        AccountsEvent.ACCOUNT_CHANGED,
        actor=applicant,
        target=applicant,
        details={"is": "<script>alert(1)</script>" + "long" * 200},
    )
    client.force_login(factories.staff("auditor", Role.AUDITOR))
    event = AuditEvent.objects.get(action=AccountsEvent.ACCOUNT_CHANGED)
    page = client.get(reverse("admin:accounts_auditevent_change", args=[event.pk])).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_an_unknown_event_is_not_found(client: Client) -> None:
    client.force_login(factories.staff("auditor", Role.AUDITOR))
    assert client.get(reverse("admin:accounts_auditevent_change", args=[10**9])).status_code == 404
