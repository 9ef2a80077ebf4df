"""After a grant ends: none of our links work, only store URLs until they expire."""

from datetime import timedelta

import pytest
import requests
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ApiClient
from weights.delivery import links
from weights.delivery.models import CheckpointLink

pytestmark = pytest.mark.django_db

REPO, PATH = "acme/weights", "model.safetensors"
ADDRESS = f"/{REPO}/resolve/main/{PATH}"


@pytest.fixture
def grant(applicant: User, gated_tier: Tier) -> Grant:
    return factories.grant(applicant, gated_tier)


def fetched(client: Client, token: str, address: str = ADDRESS) -> tuple[int, str]:
    answer = client.get(address, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.headers.get("X-Refusal-Code", "")


@pytest.mark.usefixtures("store")
def test_a_suspension_closes_tokens_and_links_on_files_at_once(
    client: Client, grant: Grant, lead_reviewer: User
) -> None:
    factories.published(REPO, grant.tier)
    token = factories.token(grant.user, "read-gated")
    link = links.issue_now(grant.user, REPO, hours=1).removeprefix("http://testserver")
    link = "/d/" + link.rpartition("/d/")[2] + PATH
    assert fetched(client, token) == (200, "")
    assert client.get(link).status_code == 200
    receipt = lifecycle.suspend(grant, by=lead_reviewer, reason="we look into it")
    assert [one.name for one in receipt.refused] == [f"checkpoint link to {REPO}"]
    assert receipt.alive == []
    assert fetched(client, token) == (403, "suspended")
    assert client.get(link).headers["X-Refusal-Code"] == "suspended"
    lifecycle.resume(grant, by=lead_reviewer)
    assert client.get(link).status_code == 200
    lifecycle.revoke(grant, by=lead_reviewer, reason="it leaked", code="leak")
    assert fetched(client, token) == (403, "revoked")
    assert client.get(link).headers["X-Refusal-Code"] == "revoked"


@pytest.mark.usefixtures("s3_store")
def test_the_receipt_lists_a_storage_address_with_its_last_second(
    client: Client, grant: Grant, lead_reviewer: User
) -> None:
    factories.published(REPO, grant.tier)
    Tier.objects.filter(pk=grant.tier_id).update(file_link_minutes=2)
    grant = Grant.objects.get(pk=grant.pk)
    headers = {"Authorization": f"Bearer {factories.token(grant.user, 'read-gated')}"}
    given = client.get(ADDRESS, headers=headers)
    assert given.status_code == 302
    assert "X-Amz-Expires=120" in given["Location"]
    before = timezone.now()
    receipt = lifecycle.revoke(grant, by=lead_reviewer, reason="it leaked", code="leak")
    (alive,) = receipt.alive
    assert alive.name == f"{REPO}/{PATH}"
    assert before < alive.ends_at <= receipt.bound <= timezone.now() + timedelta(seconds=120)
    # It was issued before and cannot be revoked; no other one is signed.
    assert requests.get(given["Location"], timeout=60).status_code == 200
    refused = client.get(ADDRESS, headers=headers)
    assert refused.headers["X-Refusal-Code"] == "revoked"
    mail = OutgoingMail.objects.get(kind="grant_closed")
    assert f"{REPO}/{PATH}" in mail.text
    assert "X-Amz" not in mail.text


@pytest.mark.usefixtures("s3_store")
def test_the_command_names_on_stderr_what_still_works(
    client: Client, grant: Grant, capsys: pytest.CaptureFixture[str]
) -> None:
    factories.published(REPO, grant.tier)
    headers = {"Authorization": f"Bearer {factories.token(grant.user, 'read-gated')}"}
    assert client.get(ADDRESS, headers=headers).status_code == 302
    call_command("revoke", grant.user.username, grant.tier.slug, "--reason", "it leaked")
    told = capsys.readouterr()
    assert told.out == f"{grant.public_id}\n"
    assert f"UTC: {REPO}/{PATH}" in told.err


@pytest.mark.usefixtures("store")
def test_a_script_gives_a_grant_back_once(grant: Grant, other_person: User) -> None:
    path = f"/grants/{grant.public_id}/surrender"
    assert ApiClient(other_person, "read-gated").post(path, status=404)["code"] == "grant_not_found"
    script = ApiClient(grant.user, "read-gated")
    receipt = script.post(path)
    assert receipt["alive"] == []
    assert receipt["at"] < receipt["bound"]
    assert script.post(path, status=409)["code"] == "bad_transition"
    (told,) = script.get("/grants")
    assert (told["state"], told["live"]) == ("surrendered", False)


@pytest.mark.usefixtures("store")
def test_a_link_that_waited_for_a_grant_that_closed_is_never_issued(
    grant: Grant, lead_reviewer: User
) -> None:
    checkpoint = factories.published(REPO, grant.tier).checkpoint
    link = links.request_link(grant.user, checkpoint)
    lifecycle.suspend(grant, by=lead_reviewer, reason="we look into it")
    links.issue(link.pk)
    link.refresh_from_db()
    assert link.state == CheckpointLink.State.FAILED
