"""Links end with the token or session that created them, and with the password."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.api_tokens import leaked_tokens
from accounts.api_tokens.models import ApiToken
from accounts.audit.models import AuditEvent
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ApiClient
from weights.delivery import file_links, links
from weights.delivery.models import CheckpointLink
from weights.gate.caller import Caller
from weights.publishing.models import Revision

pytestmark = [pytest.mark.django_db, pytest.mark.one_database, pytest.mark.usefixtures("store")]

REPO, FILE = "acme/gated", "config.json"
WORKS = (200, "")
REVOKED = (410, "link_revoked")
NEW = "another suite password 2"


@pytest.fixture(autouse=True)
def _links_are_mailed(settings: Settings) -> None:
    settings.MAIL_LEAVES = True


@pytest.fixture
def revision(gated_tier: Tier) -> Revision:
    return factories.published(REPO, gated_tier)


@pytest.fixture
def holder(applicant: User, gated_tier: Tier, revision: Revision) -> User:
    factories.grant(applicant, gated_tier)
    return applicant


@pytest.fixture
def script(holder: User) -> ApiClient:
    return ApiClient(holder, "read-gated")


def answer(address: str) -> tuple[int, str]:
    parts = urlsplit(address)
    response = Client().get(f"{parts.path}?{parts.query}" if parts.query else parts.path)
    if response.streaming:
        b"".join(response.streaming_content)  # type: ignore[attr-defined]
    return response.status_code, response.headers.get("X-Refusal-Code", "")


def issued() -> str:
    """Issue the waiting link; returns the folder's address, from the mail."""
    links.issue(CheckpointLink.objects.get(state="queued").pk)
    mail = OutgoingMail.objects.filter(kind="checkpoint_link").latest("pk")
    return str(mail.secret)


def link_by_token(script: ApiClient) -> str:
    script.post("/links", {"repo": REPO}, 202)
    return issued()


def link_in_session(client: Client) -> str:
    assert client.post(f"/access/links/{REPO}/").status_code == 302
    return issued()


def signed_in(username: str = "applicant") -> Client:
    client = Client()
    form = {"login": username, "password": factories.PASSWORD}
    assert client.post("/accounts/login/", form).status_code == 302
    return client


# -- tokens -----------------------------------------------------------------------------------


def revoke_by_owner(holder: User) -> None:
    ApiToken.objects.get().revoke(by=holder)


def let_it_expire(holder: User) -> None:
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


@pytest.mark.requirement("TK-12", "UR-13")
@pytest.mark.parametrize("end", [revoke_by_owner, let_it_expire])
def test_whatever_a_token_made_ends_with_it(
    script: ApiClient, holder: User, end: Callable[[User], None]
) -> None:
    folder = link_by_token(script)
    file = script.post("/file-links", {"repo": REPO, "path": FILE}, 201)["url"]
    planned = [one["url"] for one in script.get(f"/checkpoints/{REPO}/plan")["files"]]
    made = [folder, f"{folder}{FILE}", f"{folder}SHA256SUMS", file, *planned]
    assert [answer(address) for address in made] == [WORKS] * len(made)
    end(holder)
    assert [answer(address) for address in made] == [REVOKED] * len(made)
    listed = ApiClient(holder, "read-gated").get("/links")
    assert [one["live"] for one in listed] == [False]


@pytest.mark.requirement("TK-10")
def test_a_reported_token_takes_its_links_along(holder: User) -> None:
    plain = factories.token(holder, "read-gated")
    script = ApiClient()
    script.headers["Authorization"] = f"Bearer {plain}"
    made = [link_by_token(script) + FILE]
    made.append(script.post("/file-links", {"repo": REPO, "path": FILE}, 201)["url"])
    assert leaked_tokens.revoke([plain]) == 1
    assert [answer(address) for address in made] == [REVOKED] * 2


def test_a_file_link_of_an_open_checkpoint_ends_with_its_token_too(
    script: ApiClient, holder: User
) -> None:
    factories.published("acme/open")
    made = [
        script.post("/file-links", {"repo": "acme/open", "path": FILE}, 201)["url"],
        script.get("/checkpoints/acme/open/plan")["files"][0]["url"],
    ]
    anonymous = ApiClient().get("/checkpoints/acme/open/plan")["files"][0]["url"]
    assert [answer(address) for address in made] == [WORKS] * 2
    revoke_by_owner(holder)
    assert [answer(address) for address in made] == [REVOKED] * 2
    assert answer(anonymous) == WORKS


def test_a_tokens_end_leaves_what_other_credentials_made(
    script: ApiClient, holder: User, gated_tier: Tier
) -> None:
    other = ApiClient(holder, "read-gated").post("/file-links", {"repo": REPO, "path": FILE}, 201)
    link_by_token(script)
    by_command = links.issue_now(holder, REPO, 24)
    mailed = mailed_for_approval(holder)
    ApiToken.objects.latest("-pk").revoke(by=holder)
    assert CheckpointLink.objects.live().count() == 2
    assert answer(other["url"]) == WORKS
    assert answer(by_command) == answer(mailed) == WORKS


def mailed_for_approval(holder: User) -> str:
    assert len(links.links_of_grant(Grant.objects.get(user=holder))) == 1
    return issued()


def test_the_token_in_a_file_links_address_cannot_be_changed_or_left_out(
    script: ApiClient, holder: User
) -> None:
    url = script.post("/file-links", {"repo": REPO, "path": FILE}, 201)["url"]
    token = ApiToken.objects.get()
    other, _ = ApiToken.objects.mint(holder, name="other", scopes=["read-gated"])
    mark = f"-t{token.pk}&"
    assert mark in url
    for instead in (
        "&",
        f"-t{other.pk}&",
        f"-t0{token.pk}&",
        f"-p{'0' * 16}&",
        f"{mark[:-1]}{mark}",
    ):
        assert answer(url.replace(mark, instead)) == (403, ""), instead


def test_a_link_that_waits_when_its_token_ends_is_never_mailed(
    script: ApiClient, holder: User
) -> None:
    script.post("/links", {"repo": REPO}, 202)
    link = CheckpointLink.objects.get()
    revoke_by_owner(holder)
    links.issue(link.pk)
    link.refresh_from_db()
    assert (link.state, link.id_digest) == ("failed", None)
    assert "has ended; ask for a new one" in link.state_reason
    assert not OutgoingMail.objects.filter(kind="checkpoint_link").exists()


def test_a_waiting_link_that_was_revoked_is_neither_issued_nor_handed_to_the_next_request(
    script: ApiClient, holder: User
) -> None:
    first = CheckpointLink.objects.get(public_id=script.post("/links", {"repo": REPO}, 202)["id"])
    links.revoke_link(first, by=holder)
    links.issue(first.pk)
    assert script.post("/links", {"repo": REPO}, 202)["id"] != str(first.public_id)
    assert not OutgoingMail.objects.filter(kind="checkpoint_link").exists()


def test_a_link_and_a_file_link_outlive_neither_token_nor_grant(
    applicant: User, gated_tier: Tier, revision: Revision
) -> None:
    now = timezone.now()
    factories.grant(applicant, gated_tier, until=now + timedelta(days=30))
    script = ApiClient(applicant, "read-gated", days=1)
    ApiToken.objects.update(expires_at=now + timedelta(minutes=5))
    link_by_token(script)
    ends = [CheckpointLink.objects.get().expires_at]
    ends.append(_expires(script.post("/file-links", {"repo": REPO, "path": FILE}, 201)))
    ends.extend(_expires(one) for one in script.get(f"/checkpoints/{REPO}/plan")["files"])
    assert all(end <= now + timedelta(minutes=5) for end in ends if end)
    Grant.objects.update(expires_at=now + timedelta(minutes=2))
    made = script.post("/file-links", {"repo": REPO, "path": FILE}, 201)
    assert _expires(made) <= now + timedelta(minutes=2)


def _expires(made: dict[str, str]) -> datetime:
    return datetime.fromisoformat(made["expires"])


# -- sessions ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.requirement("UR-16")
def test_signing_out_ends_the_links_requested_in_that_browser(holder: User) -> None:
    browser, other = signed_in(), signed_in()
    mailed = mailed_for_approval(holder)
    here, elsewhere = link_in_session(browser), link_in_session(other)
    made = [here, f"{here}{FILE}", f"{here}metalink.xml"]
    assert [answer(address) for address in made] == [WORKS] * 3
    assert "sign out of this browser" in " ".join(browser.get("/accounts/logout/").text.split())
    browser.post("/accounts/logout/")
    assert [answer(address) for address in made] == [REVOKED] * 3
    assert answer(elsewhere) == answer(mailed) == WORKS
    page = " ".join(other.get("/access/").text.split())
    assert "you signed out of the browser that requested it" in page


@pytest.mark.requirement("UR-16")
def test_ending_the_other_sessions_ends_their_links(holder: User) -> None:
    browser, other = signed_in(), signed_in()
    here, elsewhere = link_in_session(browser), link_in_session(other)
    browser.post("/accounts/sessions/")
    assert (answer(here), answer(elsewhere)) == (WORKS, REVOKED)


@pytest.mark.requirement("UR-16")
def test_a_link_ends_when_its_session_expires(holder: User) -> None:
    browser = signed_in()
    Session.objects.update(expire_date=timezone.now() + timedelta(hours=2))
    folder = link_in_session(browser)
    assert answer(folder) == WORKS
    with time_machine.travel(timezone.now() + timedelta(hours=3), tick=False):
        assert answer(folder) == (410, "link_expired")
    Session.objects.all().delete()
    assert answer(folder) == REVOKED


@pytest.mark.slow
@pytest.mark.requirement("UR-16")
def test_a_new_password_ends_the_links_requested_in_browsers_and_no_others(
    holder: User, script: ApiClient
) -> None:
    browser, other = signed_in(), signed_in()
    here, elsewhere = link_in_session(browser), link_in_session(other)
    by_token, mailed = link_by_token(script), mailed_for_approval(holder)
    form = {"oldpassword": factories.PASSWORD, "password1": NEW, "password2": NEW}
    assert browser.post("/accounts/password/change/", form).status_code == 302
    assert answer(here) == answer(elsewhere) == REVOKED
    assert answer(by_token) == answer(mailed) == WORKS


# -- a reset password -------------------------------------------------------------------------


def reset_by_mail(holder: User, administrator: User) -> None:
    client = Client()
    client.post("/accounts/password/reset/", {"email": holder.email})
    mail = OutgoingMail.objects.get(kind="password_reset_key")
    found = re.search(r"/accounts/password/reset/key/\S+", mail.full_text)
    assert found is not None
    form = client.get(found[0])["Location"]
    assert client.post(form, {"password1": NEW, "password2": NEW}).status_code == 302


def set_by_staff(holder: User, administrator: User) -> None:
    User.objects.filter(pk=administrator.pk).update(is_superuser=True)
    client = signed_in(administrator.username)
    page = reverse("admin:auth_user_password_change", args=[holder.pk])
    form = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    assert client.post(page, form).status_code == 302


def set_in_shell(holder: User, administrator: User) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("getpass.getpass", lambda prompt: NEW)  # the suite has no terminal
        call_command("changepassword", holder.username)
    assert AuditEvent.objects.about(holder).get(action="account.password_set").actor_id is None


@pytest.mark.slow
@pytest.mark.requirement("TK-9", "UR-16")
@pytest.mark.parametrize("reset", [reset_by_mail, set_by_staff, set_in_shell])
def test_a_reset_password_ends_every_link_of_its_owner(
    holder: User, script: ApiClient, administrator: User, reset: Callable[..., None]
) -> None:
    made = [
        mailed_for_approval(holder),
        links.issue_now(holder, REPO, 24),
        link_by_token(script),
        link_in_session(signed_in()),
        script.post("/file-links", {"repo": REPO, "path": FILE}, 201)["url"],
        script.get(f"/checkpoints/{REPO}/plan")["files"][0]["url"],
        file_links.issue(Caller(holder, kind="command"), REPO, "main", FILE),
    ]
    waiting = links.request_link(holder, CheckpointLink.objects.first().checkpoint)  # type: ignore[union-attr]
    assert [answer(address) for address in made] == [WORKS] * len(made)
    reset(holder, administrator)
    assert [answer(address) for address in made] == [REVOKED] * len(made)
    mails = OutgoingMail.objects.filter(kind="checkpoint_link").count()
    links.issue(waiting.pk)
    assert OutgoingMail.objects.filter(kind="checkpoint_link").count() == mails
    assert AuditEvent.objects.filter(action="checkpoint_link.revoked").count() == 5


# -- lifetimes, secrets and costs -------------------------------------------------------------


@pytest.mark.requirement("UR-1")
@pytest.mark.parametrize(("minutes", "asked"), [(15, 3600), (15, 901), (1, 61), (60, 3601)])
def test_no_file_link_lives_longer_than_its_tier_allows(
    script: ApiClient,
    holder: User,
    gated_tier: Tier,
    manage: Callable[..., str],
    minutes: int,
    asked: int,
) -> None:
    Tier.objects.filter(pk=gated_tier.pk).update(file_link_minutes=minutes)
    body = {"repo": REPO, "path": FILE}
    refused = script.post("/file-links", body | {"seconds": asked}, 422)
    assert refused["code"] == "bad_lifetime"
    assert f"1 to {minutes * 60} seconds" in refused["detail"]
    with pytest.raises(CommandError, match=f"1 to {minutes * 60} seconds"):
        manage("file_link", "applicant", REPO, FILE, "--seconds", str(asked))
    longest = timezone.now() + timedelta(minutes=minutes, seconds=1)
    made = script.post("/file-links", body | {"seconds": minutes * 60}, 201)
    planned = script.get(f"/checkpoints/{REPO}/plan")["files"]
    assert all(_expires(one) <= longest for one in [made, *planned])
    printed = manage("file_link", "applicant", REPO, FILE).strip()
    assert answer(printed) == WORKS


def test_an_address_ends_with_the_first_of_its_limits() -> None:
    now = timezone.now()
    near, far = now + timedelta(seconds=90), now + timedelta(days=3)
    assert file_links.expiry(1, 60, now, None, far) == now + timedelta(minutes=15)
    assert file_links.expiry(10**12, 20, now, far) == now + timedelta(minutes=20)
    assert file_links.expiry(10**12, 20, now, far, near) == near


def test_no_address_is_stored_with_a_link(holder: User, script: ApiClient) -> None:
    folder = link_by_token(script)
    secret = folder.rstrip("/").rpartition("/")[2]
    [stored] = CheckpointLink.objects.values()
    assert {key for entry in stored["plan"] for key in entry} == {"path", "size", "sha256"}
    assert secret not in str(stored)
    assert "&s=" not in str(stored)


def test_a_credential_costs_a_download_no_statement(
    holder: User, script: ApiClient, django_assert_num_queries: Callable[..., Any]
) -> None:
    by_link = f"{link_in_session(signed_in())}{FILE}"
    by_token = script.post("/file-links", {"repo": REPO, "path": FILE}, 201)["url"]
    factories.published("acme/open")
    open_file = script.post("/file-links", {"repo": "acme/open", "path": FILE}, 201)["url"]
    without = ApiClient().get("/checkpoints/acme/open/plan")["files"][0]["url"]
    # Each: the claim, the gate's statement, the ledger's row.
    for address in (by_link, by_token, open_file, without):
        with django_assert_num_queries(3):
            assert answer(address) == WORKS
