"""Links on their routes: who gets bytes, when links end, and the responses afterwards."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import time_machine
from django.conf import settings
from django.core.management import CommandError
from django.test import Client
from django.utils import timezone

from accounts.applications.workflow import decisions
from accounts.audit.models import AuditEvent
from accounts.grants import lifecycle
from accounts.mail.models import OutgoingMail
from accounts.tiers.models import Tier
from accounts.users.models import User
from accounts.web.byte_sizes import format_size
from tests.support import factories
from weights.delivery import file_links, links
from weights.delivery.models import CheckpointLink
from weights.errors import GateRefused
from weights.gate.caller import session_caller
from weights.ledger.models import Download
from weights.publishing import withdrawal
from weights.publishing.models import Revision

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

SHARDS = {f"checkpoint_last-model_part-0-shard{n}.pt": b"\x80\x02%d." % n for n in range(3)}
FIRST = next(iter(SHARDS))


@pytest.fixture
def revision(gated_tier: Tier) -> Revision:
    return factories.published("acme/gated", gated_tier, SHARDS)


@pytest.fixture
def folder(applicant: User, gated_tier: Tier, revision: Revision) -> str:
    """The path of a checkpoint link's folder, `/d/<token>/`."""
    factories.grant(applicant, gated_tier)
    return urlsplit(links.issue_now(applicant, "acme/gated", 168)).path


@pytest.fixture
def signed(applicant: User, gated_tier: Tier, revision: Revision) -> str:
    """Path and query of a file link."""
    factories.grant(applicant, gated_tier)
    parts = urlsplit(file_links.issue(session_caller(applicant), "acme/gated", "main", FIRST))
    return f"{parts.path}?{parts.query}"


def _refused(client: Client, address: str) -> tuple[int, str]:
    response = client.get(address)
    assert not response.streaming
    return response.status_code, response.headers.get("X-Refusal-Code", "")


def _body(client: Client, address: str) -> bytes:
    response = client.get(address)
    assert response.status_code == 200, response.content
    return b"".join(response.streaming_content)  # type: ignore[attr-defined]


def test_one_link_fetches_every_file_of_the_revision(client: Client, folder: str) -> None:
    for path, content in SHARDS.items():
        assert _body(client, folder + path) == content
    assert Download.objects.filter(credential_kind="link", outcome="served").count() == 3


def test_a_query_string_that_a_script_keeps_is_ignored(client: Client, folder: str) -> None:
    assert _body(client, f"{folder}{FIRST}?Policy=abc&Key-Pair-Id=xyz") == SHARDS[FIRST]


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_a_read_only_route_names_its_methods(method: str, folder: str, applicant: User) -> None:
    script = Client(enforce_csrf_checks=True)
    signed = file_links.issue(session_caller(applicant), "acme/gated", "main", FIRST)
    for address in (folder, folder[:-1], folder + FIRST, urlsplit(signed).path):
        response = getattr(script, method)(address)
        assert (response.status_code, response["Allow"]) == (405, "GET, HEAD"), address


@pytest.mark.parametrize("stand_in", ["stubbed.pt", "*", "%2A"])
def test_a_placeholder_fetched_literally_says_what_to_do(
    stand_in: str, client: Client, folder: str
) -> None:
    response = client.get(folder + stand_in)
    assert response.status_code == 404
    assert "is a placeholder: replace it" in response.json()["error"]


@pytest.mark.requirement("UR-11")
@pytest.mark.parametrize(
    "path", ["x", f"{FIRST}/", f"./{FIRST}", f"a/../{FIRST}", FIRST[:-1], f"{FIRST}x"]
)
def test_a_link_reaches_the_manifests_files_by_equality_only(
    path: str, client: Client, folder: str
) -> None:
    response = client.get(folder + path)
    assert response.status_code == 404
    assert not response.streaming


def test_the_folder_lists_the_files_and_keeps_the_address_private(
    client: Client, folder: str
) -> None:
    response = client.get(folder)
    assert response.status_code == 200
    assert FIRST in response.text
    assert response["Cache-Control"] == "private, no-store"
    assert response["Referrer-Policy"] == "no-referrer"


@pytest.mark.requirement("UR-7")
def test_an_altered_token_is_unknown_and_costs_no_query(
    client: Client, folder: str, django_assert_num_queries: Callable[..., object]
) -> None:
    altered = folder[:10] + ("A" if folder[10] != "A" else "B") + folder[11:]
    with django_assert_num_queries(0):  # type: ignore[attr-defined]
        response = client.get(altered + FIRST)
    assert response.status_code == 404
    assert response.json()["code"] == "link_unknown"


@pytest.mark.requirement("UR-7", "UR-8")
def test_an_expired_link_is_gone_without_a_query_and_its_page_offers_another(
    client: Client, folder: str, django_assert_num_queries: Callable[..., object]
) -> None:
    with time_machine.travel(timezone.now() + timedelta(hours=169), tick=False):
        with django_assert_num_queries(0):  # type: ignore[attr-defined]
            assert _refused(client, folder + FIRST) == (410, "link_expired")
        page = client.get(folder, headers={"Accept": "text/html"})
    assert page.status_code == 410
    assert "/access/" in page.text


@pytest.mark.requirement("UR-13")
def test_a_revoked_link_is_gone_at_once(client: Client, folder: str, applicant: User) -> None:
    links.revoke_link(CheckpointLink.objects.get(), by=applicant)
    assert _refused(client, folder + FIRST) == (410, "link_revoked")
    assert _refused(client, folder) == (410, "link_revoked")
    assert f"{settings.PUBLIC_URL}/access/" in client.get(folder + FIRST)["X-Error-Message"]


@pytest.mark.requirement("UR-13")
def test_revoking_the_grant_closes_both_kinds_of_link_at_once(
    client: Client, folder: str, manage: Callable[..., str], applicant: User
) -> None:
    parts = urlsplit(file_links.issue(session_caller(applicant), "acme/gated", "main", FIRST))
    signed = f"{parts.path}?{parts.query}"
    assert _body(client, signed) == SHARDS[FIRST]
    manage("revoke", "applicant", "opt-175b", "--reason", "it leaked")
    assert _refused(client, folder + FIRST) == (403, "revoked")
    assert _refused(client, folder) == (403, "revoked")
    assert _refused(client, signed) == (403, "revoked")


def test_a_closed_account_closes_its_links_on_open_checkpoints_too(
    client: Client, applicant: User, signed: str
) -> None:
    factories.published("acme/open", files=SHARDS)
    folder = urlsplit(links.issue_now(applicant, "acme/open", 168)).path
    assert _body(client, folder + FIRST) == SHARDS[FIRST]
    User.objects.filter(pk=applicant.pk).update(is_active=False)
    assert _refused(client, folder + FIRST) == (410, "link_revoked")
    assert _refused(client, signed) == (410, "link_revoked")


def test_a_later_grant_does_not_revive_a_revoked_ones_links(
    client: Client, folder: str, manage: Callable[..., str], applicant: User, gated_tier: Tier
) -> None:
    manage("revoke", "applicant", "opt-175b", "--reason", "it leaked")
    factories.grant(applicant, gated_tier)
    assert _refused(client, folder + FIRST) == (403, "revoked")


def test_a_link_never_outlives_its_grant(
    client: Client, applicant: User, gated_tier: Tier, revision: Revision
) -> None:
    factories.grant(applicant, gated_tier, until=timezone.now() + timedelta(hours=2))
    folder = urlsplit(links.issue_now(applicant, "acme/gated", 168)).path
    with time_machine.travel(timezone.now() + timedelta(hours=3), tick=False):
        assert _refused(client, folder + FIRST) == (410, "link_expired")


@pytest.mark.requirement("UR-2", "UR-4")
@pytest.mark.parametrize(
    "change",
    [
        lambda address: address.replace("&s=", "&s=A", 1)[:-1],
        lambda address: address + "&response-content-type=text/html",
        lambda address: address.split("?")[0],
        lambda address: address.replace("e=1", "e=2", 1),
        lambda address: address.replace("shard0", "shard1", 1),
    ],
)
def test_an_altered_file_link_is_forbidden(
    change: Callable[[str], str], client: Client, signed: str
) -> None:
    response = client.get(change(signed))
    assert response.status_code == 403
    assert response.json()["code"] == "link_invalid"


def test_a_file_link_ends_after_its_minutes(client: Client, signed: str) -> None:
    with time_machine.travel(timezone.now() + timedelta(minutes=16), tick=False):
        assert _refused(client, signed) == (410, "link_expired")
        sentence = client.get(signed)["X-Error-Message"]
    page = signed.partition("?")[0].replace("/f/", "/", 1)
    sha, _, rest = page.removeprefix("/acme/gated/").partition("/")
    assert sentence.endswith(f"get a new one at {settings.PUBLIC_URL}/acme/gated/blob/{sha}/{rest}")


@pytest.mark.requirement("UR-5")
def test_a_file_link_is_checked_for_pattern_signature_expiry_and_then_access(
    client: Client, signed: str, applicant: User
) -> None:
    """Each check fails together with all later ones; the first failure is reported."""
    lifecycle.revoke(applicant.grants.get(), by=None, reason="leak")
    assert _refused(client, signed) == (403, "revoked")
    with time_machine.travel(timezone.now() + timedelta(minutes=16), tick=False):
        assert _refused(client, signed) == (410, "link_expired")
        altered = signed[:-1] + ("A" if signed[-1] != "A" else "B")
        for address in (altered, f"{altered}&x=1"):
            assert client.get(address).json()["code"] == "link_invalid"


def test_a_browser_at_an_ended_link_gets_a_page_that_sends_no_referrer(
    client: Client, folder: str, applicant: User
) -> None:
    parts = urlsplit(file_links.issue(session_caller(applicant), "acme/gated", "main", FIRST))
    signed = f"{parts.path}?{parts.query}"
    browser = {"Accept": "text/html,*/*;q=0.8"}
    altered = folder[:10] + ("A" if folder[10] != "A" else "B") + folder[11:]
    with time_machine.travel(timezone.now() + timedelta(minutes=16), tick=False):
        for address, status, code in (
            (signed, 410, "link_expired"),
            (signed[:-1], 403, "link_invalid"),
            (altered + FIRST, 404, "link_unknown"),
        ):
            page = client.get(address, headers=browser)
            assert (page.status_code, page["Content-Type"][:9]) == (status, "text/html")
            assert f"<code>{code}</code>" in page.text
            assert page["Referrer-Policy"] == "no-referrer"
            told = client.get(address)
            assert (told.status_code, told.json()["code"]) == (status, code)


@pytest.mark.requirement("UR-1")
def test_a_file_links_life_follows_its_size_within_its_bounds() -> None:
    assert file_links.lifetime(1, 60) == 15 * 60
    assert file_links.lifetime(1_800_000_000, 60) == 30 * 60
    assert file_links.lifetime(10**12, 60) == 60 * 60
    assert file_links.lifetime(10**12, 20) == 20 * 60


@pytest.mark.requirement("CE-4")
def test_the_issuing_task_mails_the_folder_with_both_stand_ins_once(
    applicant: User, gated_tier: Tier, revision: Revision, client: Client
) -> None:
    factories.grant(applicant, gated_tier)
    link = links.request_link(applicant, revision.checkpoint)
    links.issue(link.pk)
    links.issue(link.pk)
    mail = OutgoingMail.objects.get(kind="checkpoint_link")
    address = mail.secret
    assert f"'{address}stubbed.pt'" in mail.full_text
    assert f"'{address}*'" in mail.full_text
    assert f"\n  curl -fO '{address}download.sh' && sh download.sh -j 4\n" in mail.full_text
    assert format_size(revision.total_bytes) in mail.full_text
    assert _body(client, urlsplit(address).path + FIRST) == SHARDS[FIRST]
    link.refresh_from_db()
    assert [entry["path"] for entry in link.plan] == sorted(SHARDS)
    assert AuditEvent.objects.about(link).filter(action="checkpoint_link.issued").count() == 1


@pytest.mark.requirement("CE-6")
def test_a_right_that_ended_before_the_task_ran_ends_the_link_as_failed(
    applicant: User, gated_tier: Tier, revision: Revision
) -> None:
    grant = factories.grant(applicant, gated_tier)
    link = links.request_link(applicant, revision.checkpoint)
    lifecycle.revoke(grant, by=None, reason="meanwhile")
    links.issue(link.pk)
    link.refresh_from_db()
    assert (link.state, link.id_digest) == ("failed", None)
    assert "revoked" in link.state_reason
    assert not OutgoingMail.objects.filter(kind="checkpoint_link").exists()


def test_a_revision_that_was_withdrawn_ends_what_waits_and_makes_no_more_links(
    applicant: User, reviewer: User, gated_tier: Tier, revision: Revision
) -> None:
    grant = factories.approved(factories.submitted(applicant, gated_tier), reviewer)
    waiting = links.request_link(applicant, revision.checkpoint)
    withdrawal.withdraw(revision, "Trained on the wrong split", by=None)
    links.issue(waiting.pk)
    waiting.refresh_from_db()
    assert waiting.state == "failed"
    assert "wrong split. See http" in waiting.state_reason
    assert links.links_of_grant(grant) == []
    links.sweep()
    assert not CheckpointLink.objects.filter(state="queued").exists()
    with pytest.raises(GateRefused, match="wrong split"):
        links.request_link(applicant, revision.checkpoint)
    factories.published("acme/gated", gated_tier, {"README.md": b"# Mended\n"})
    links.sweep()
    assert CheckpointLink.objects.get(state="queued").cause == "approval"


@pytest.mark.requirement("CE-1")
def test_the_sweep_issues_the_link_that_a_crash_prevented(
    applicant: User, reviewer: User, gated_tier: Tier, revision: Revision
) -> None:
    decisions.approve(factories.submitted(applicant, gated_tier), by=reviewer, confirmed=True)
    assert not CheckpointLink.objects.exists()
    links.sweep()
    links.sweep()
    assert CheckpointLink.objects.get().cause == "approval"


def test_an_approval_makes_no_link_for_an_embargoed_checkpoint_until_it_ends(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    ends = timezone.now() + timedelta(days=2)
    factories.published("acme/later", gated_tier, embargo_until=ends)
    application = factories.submitted(applicant, gated_tier)
    grant = factories.approved(application, reviewer)
    assert links.links_of_grant(grant) == []
    links.sweep()
    assert not CheckpointLink.objects.exists()
    with time_machine.travel(ends + timedelta(minutes=1)):
        links.sweep()
    assert CheckpointLink.objects.get().checkpoint.name == "later"


@pytest.mark.requirement("AC-8")
def test_only_three_links_a_day_are_given_for_one_checkpoint(
    applicant: User, gated_tier: Tier, revision: Revision
) -> None:
    factories.grant(applicant, gated_tier)
    for _ in range(3):
        links.issue(links.request_link(applicant, revision.checkpoint).pk)
    with pytest.raises(GateRefused, match="a day"):
        links.request_link(applicant, revision.checkpoint)


def test_nobody_without_a_grant_gets_a_link(
    other_person: User, revision: Revision, manage: Callable[..., str]
) -> None:
    with pytest.raises(GateRefused):
        links.request_link(other_person, revision.checkpoint)
    with pytest.raises(CommandError, match="no_application"):
        manage("checkpoint_link", "other", "acme/gated")
    with pytest.raises(CommandError, match="no_application"):
        manage("file_link", "other", "acme/gated", FIRST)


def test_the_commands_print_an_address_alone(
    applicant: User,
    gated_tier: Tier,
    revision: Revision,
    manage: Callable[..., str],
    client: Client,
) -> None:
    factories.grant(applicant, gated_tier)
    folder = manage("checkpoint_link", "applicant", "acme/gated", "--hours", "1").strip()
    assert _body(client, urlsplit(folder).path + FIRST) == SHARDS[FIRST]
    parts = urlsplit(manage("file_link", "applicant", "acme/gated", FIRST).strip())
    assert _body(client, f"{parts.path}?{parts.query}") == SHARDS[FIRST]
    with pytest.raises(CommandError, match="1 to 168 hours"):
        manage("checkpoint_link", "applicant", "acme/gated", "--hours", "169")
