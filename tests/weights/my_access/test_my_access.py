"""My access: grants, links, downloads."""

import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.api_tokens.models import ApiToken
from accounts.audit.models import AuditEvent
from accounts.grants import lifecycle
from accounts.mail.models import OutgoingMail
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
    client: Client, gated: Revision, gated_tier: Tier, applicant: User, settings: Settings
) -> None:
    settings.MAIL_LEAVES = True
    factories.grant(applicant, gated_tier)
    client.force_login(applicant)
    assert "Send me a link" in text(client)
    assert client.post("/access/links/acme/gated/").status_code == 302
    assert CheckpointLink.objects.get().holder == applicant
    assert "Being prepared" in text(client)


def test_two_clicks_make_one_link(
    client: Client, gated: Revision, gated_tier: Tier, applicant: User, settings: Settings
) -> None:
    settings.MAIL_LEAVES = True
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


def _token_of(link: str) -> str:
    return link.rstrip("/").rpartition("/")[2]


@pytest.mark.slow
def test_without_a_mail_server_a_link_is_shown_once_to_its_holder(
    client: Client, gated: Revision, gated_tier: Tier, applicant: User, settings: Settings
) -> None:
    settings.MAIL_LEAVES = False
    factories.grant(applicant, gated_tier)
    client.force_login(applicant)
    assert "Show me a link" in text(client)
    answer = client.post("/access/links/acme/gated/")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "private, no-store"
    found = re.search(r"http\S+/d/[\w.~-]+/", answer.text)
    assert found is not None
    link = CheckpointLink.objects.get()
    assert (link.state, link.session_key) == ("issued", client.session.session_key)
    stored = repr(CheckpointLink.objects.filter(pk=link.pk).values().get())
    assert _token_of(found[0]) not in stored
    assert not OutgoingMail.objects.filter(kind="checkpoint_link").exists()
    page = text(client)
    assert _token_of(found[0]) not in page
    assert "Shown on" in page
    assert "Mailed" not in page
    folder = found[0].removeprefix(settings.PUBLIC_URL)
    assert client.get(folder).status_code == 200
    assert AuditEvent.objects.about(link).filter(action="checkpoint_link.issued").exists()


@pytest.mark.slow
def test_shown_links_count_against_the_daily_quota(
    client: Client, gated: Revision, gated_tier: Tier, applicant: User, settings: Settings
) -> None:
    settings.MAIL_LEAVES = False
    factories.grant(applicant, gated_tier)
    client.force_login(applicant)
    for _ in range(3):
        assert client.post("/access/links/acme/gated/").status_code == 200
    refused = client.post("/access/links/acme/gated/", follow=True)
    assert "at most 3 links a day" in refused.text.lower()
    assert CheckpointLink.objects.count() == 3


def _downloads(person: User, count: int, **values: Any) -> None:
    defaults = {"credential_kind": "token", "repo_id": "acme/gated", "outcome": "served"}
    rows = [
        Download(user_id=person.pk, path=f"file-{number}.pt", length=1000, **(defaults | values))
        for number in range(count)
    ]
    Download.objects.bulk_create(rows)


def test_downloads_are_grouped_by_client_and_checkpoint(client: Client, applicant: User) -> None:
    factories.token(applicant, "read")
    token = ApiToken.objects.get(user=applicant)
    _downloads(applicant, 60, credential_id=str(token.public_id))
    _downloads(applicant, 2, credential_kind="link", outcome="refused", code="link_revoked")
    client.force_login(applicant)
    page = " ".join(text(client).split())
    assert page.count("acme/gated<br>") == 2
    assert "60 files" in page
    assert "60.0 kB" in page
    assert f"with an API token, {token.name}" in page
    assert "0 files" in page
    assert "2 refused" in page
    assert "file-0.pt" not in page


def test_the_rows_of_a_session_are_listed_with_their_proofs(
    client: Client, applicant: User
) -> None:
    _downloads(applicant, 60)
    _downloads(applicant, 1, repo_id="acme/other")
    client.force_login(applicant)
    address = re.search(r'/access/downloads/\?[^"]*gated[^"]*', text(client))
    assert address is not None
    rows = client.get(unescape(address[0])).text
    assert rows.count("<br><code>") == 50
    assert "1 to 50 of 60" in rows
    assert "/access/proofs/download/" in rows
    assert "acme/other" not in rows
    assert "file-0.pt" in client.get(unescape(address[0]) + "&page=2").text


def test_nobody_lists_the_rows_of_others(
    client: Client, applicant: User, other_person: User
) -> None:
    _downloads(other_person, 3, repo_id="acme/theirs")
    client.force_login(applicant)
    day = timezone.now().date().isoformat()
    query = f"?day={day}&credential_kind=token&credential_id=&repo_id=acme/theirs"
    assert "file-0.pt" not in client.get(f"/access/downloads/{query}").text
    for bad in ("", "?day=x", "?day=2026-13-01", f"?day={day}&repo_id=%00"):
        assert client.get(f"/access/downloads/{bad}").status_code in {400, 404}, bad


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_links_to_many_checkpoints_are_offered_on_pages(
    client: Client, gated: Revision, applicant: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fifty checkpoints would take too long.
    monkeypatch.setattr("weights.my_access.views.OFFERED", 2)
    for name in ("h1", "h2", "h3"):
        factories.published(f"acme/{name}", tier=gated.checkpoint.tier)
    factories.published("acme/open")
    factories.grant(applicant, gated.checkpoint.tier)
    client.force_login(applicant)
    pages = [client.get(f"/access/?from={start}") for start in ("", "2", "9" * 18, "x", "-1")]
    names = [[one.name for one in page.context["checkpoints"]] for page in pages]
    assert names == [["gated", "h1"], ["h2", "h3"], [], ["gated", "h1"], ["gated", "h1"]]
    assert 'href="?from=2#links"' in pages[0].content.decode()
    assert "More checkpoints" not in pages[1].content.decode()
