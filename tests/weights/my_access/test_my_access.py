"""My access: grants, links, downloads."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.grants import lifecycle
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.delivery.models import CheckpointLink
from weights.ledger.models import Download
from weights.publishing.models import Revision

pytestmark = pytest.mark.one_database


@pytest.fixture
def gated(gated_tier: Tier, store: Path) -> Revision:
    return factories.published("acme/gated", tier=gated_tier)


def text(client: Client) -> str:
    answer = client.get("/access/")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "private, no-store"
    return answer.content.decode()


def test_a_visitor_signs_in_first(client: Client, db: None) -> None:
    answer = client.get("/access/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=")


def test_without_a_grant_the_refusal_names_the_next_step(
    client: Client, gated: Revision, applicant: User
) -> None:
    client.force_login(applicant)
    page = text(client)
    assert "You do not have access" in page
    assert "Send me a link" not in page


def test_a_holder_asks_for_a_link_and_sees_it_prepared(
    client: Client, gated: Revision, gated_tier: Tier, applicant: User
) -> None:
    factories.grant(applicant, gated_tier)
    client.force_login(applicant)
    assert "Send me a link" in text(client)
    assert client.post("/access/links/acme/gated/").status_code == 302
    assert CheckpointLink.objects.get().holder == applicant
    assert "Being prepared" in text(client)


def test_two_clicks_make_one_link(
    client: Client, gated: Revision, gated_tier: Tier, applicant: User
) -> None:
    factories.grant(applicant, gated_tier)
    client.force_login(applicant)
    for _ in range(2):
        client.post("/access/links/acme/gated/")
    assert CheckpointLink.objects.count() == 1


def test_without_a_grant_no_link_is_made(client: Client, gated: Revision, applicant: User) -> None:
    client.force_login(applicant)
    answer = client.post("/access/links/acme/gated/", follow=True)
    assert "Apply at" in answer.content.decode()
    assert not CheckpointLink.objects.exists()


def issued(holder: User, revision: Revision) -> CheckpointLink:
    now = timezone.now()
    return CheckpointLink.objects.create(
        holder=holder,
        checkpoint=revision.checkpoint,
        revision=revision,
        cause=CheckpointLink.Cause.REQUEST,
        state=CheckpointLink.State.ISSUED,
        id_digest=factories.word(),
        issued_at=now,
        expires_at=now + timedelta(days=7),
    )


def test_a_link_can_be_revoked_by_its_holder_alone(
    client: Client, gated: Revision, applicant: User, other_person: User
) -> None:
    link = issued(applicant, gated)
    address = f"/access/revoke/{link.public_id}/"
    client.force_login(other_person)
    assert client.get(address).status_code == client.post(address).status_code == 404
    client.force_login(applicant)
    assert "Revoke this link?" in client.get(address).text
    assert CheckpointLink.objects.get().revoked_at is None
    assert client.post(address)["Location"] == "/access/"
    link.refresh_from_db()
    assert link.revoked_at is not None
    assert "Revoked" in text(client)
    assert AuditEvent.objects.about(link).filter(action="checkpoint_link.revoked").exists()


def test_a_link_without_access_is_not_listed_as_working(
    client: Client,
    gated: Revision,
    gated_tier: Tier,
    applicant: User,
    lead_reviewer: User,
    settings: Settings,
) -> None:
    settings.MAIL_LEAVES = True
    grant = factories.grant(applicant, gated_tier)
    issued(applicant, gated)
    client.force_login(applicant)
    assert "Mailed" in text(client)
    lifecycle.suspend(grant, by=lead_reviewer, reason="We look into a report.")
    page = text(client)
    assert "Does not work now" in page
    assert "Mailed" not in page


def test_a_link_is_not_called_mailed_on_a_portal_without_a_mail_server(
    client: Client, gated: Revision, gated_tier: Tier, applicant: User, settings: Settings
) -> None:
    factories.grant(applicant, gated_tier)
    issued(applicant, gated)
    settings.MAIL_LEAVES = False
    client.force_login(applicant)
    page = text(client)
    assert "Ready" in page
    assert "Mailed" not in page


def test_access_closed_by_a_new_licence_text_is_not_shown_as_active(
    client: Client, gated: Revision, gated_tier: Tier, applicant: User
) -> None:
    factories.grant(applicant, gated_tier)
    issued(applicant, gated)
    client.force_login(applicant)
    assert "Active" in text(client)
    gated_tier.accepted_licence.versions.create(version="2", text="Other terms.", notice_days=0)
    page = text(client)
    assert "Your access is suspended until you accept it" in page
    assert "Does not work now" in page
    assert "Active" not in page


def test_downloads_are_listed_and_paged(client: Client, applicant: User) -> None:
    rows = [
        Download(
            user_id=applicant.pk,
            credential_kind="token",
            repo_id="acme/gated",
            path=f"file-{number}.pt",
            length=1000,
            outcome=Download.Outcome.SERVED,
        )
        for number in range(60)
    ]
    Download.objects.bulk_create(rows)
    client.force_login(applicant)
    page = text(client)
    assert page.count("acme/gated") == 50
    assert "51" not in page.partition("1 to 50 of 60")[0][-20:]
    assert "file-0.pt" in client.get("/access/?page=2").content.decode()


def test_other_peoples_rows_are_not_shown(
    client: Client, gated: Revision, gated_tier: Tier, applicant: User, other_person: User
) -> None:
    factories.grant(other_person, gated_tier)
    issued(other_person, gated)
    Download.objects.create(
        user_id=other_person.pk,
        credential_kind="token",
        repo_id="acme/theirs",
        outcome=Download.Outcome.SERVED,
    )
    client.force_login(applicant)
    page = text(client)
    assert "acme/theirs" not in page
    assert "Your links" not in page


def test_queries_do_not_grow_with_what_is_held(
    client: Client, gated: Revision, gated_tier: Tier, applicant: User
) -> None:
    client.force_login(applicant)
    factories.grant(applicant, gated_tier)
    issued(applicant, gated)
    text(client)
    with CaptureQueriesContext(connection) as before:
        text(client)
    for number in range(3):
        tier = factories.tier()
        revision = factories.published(f"acme/more-{number}", tier=tier)
        factories.grant(applicant, tier)
        issued(applicant, revision)
    with CaptureQueriesContext(connection) as after:
        text(client)
    assert len(after) == len(before) <= 17
