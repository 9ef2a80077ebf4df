"""A withdrawn revision: its names lead to the reason, and no route serves its files."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as portal_settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.errors import InvalidValue, NotAllowed
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.crashes import each_crash
from weights.catalogue.models import Checkpoint
from weights.delivery import signed_claims
from weights.errors import PublishRefused, WithdrawalRefused
from weights.integrity import verification
from weights.ledger.models import Download
from weights.publishing import intake, withdrawal
from weights.publishing.models import Ref, Revision
from weights.publishing.queries import tagged_revision
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

REPO, PATH, WHY = "acme/model", "config.json", "It was trained on the wrong split."
FIRST = {PATH: b'{"first": true}\n', "same.bin": b"\0the same bytes"}
SECOND = {PATH: b'{"second": true}\n', "same.bin": b"\0the same bytes"}


@pytest.fixture
def first(db: None) -> Revision:
    return factories.published(REPO, files=FIRST)


@pytest.fixture
def second(first: Revision) -> Revision:
    revision = factories.published(REPO, files=SECOND)
    Ref.objects.create(checkpoint=first.checkpoint, name="v2", kind=Ref.Kind.TAG, revision=revision)
    return revision


@pytest.fixture
def withdrawn(second: Revision, release_owner: User) -> Revision:
    withdrawal.withdraw(second, WHY, by=release_owner)
    return second


def file_address(revision: Revision) -> str:
    file = revision.files.get(path=PATH)
    ends = int((timezone.now() + timedelta(minutes=15)).timestamp())
    claim = signed_claims.FileClaim(file.pk, file.sha256, "open", ends)
    query = factories.signed_query(claim, portal_settings.LINK_KEYS)
    return f"/f/{REPO}/{revision.sha}/{PATH}?{query}"


# -- what it changes ----------------------------------------------------------------------


def test_the_branch_goes_back_and_the_tag_keeps_its_name(
    first: Revision, withdrawn: Revision
) -> None:
    names = {ref.name: ref.revision for ref in first.checkpoint.refs.select_related("revision")}
    assert names == {"main": first, "v2": withdrawn}
    assert withdrawn.state == Revision.State.WITHDRAWN
    assert withdrawn.state_reason == WHY
    event = AuditEvent.objects.get(action="revision.withdrawn")
    assert event.actor_name == "owner"
    assert event.details["reason"] == WHY


def test_a_branch_without_an_earlier_revision_shows_the_notice(
    client: Client, first: Revision
) -> None:
    withdrawal.withdraw(first, WHY, by=None)
    answer = client.get(f"/{REPO}/resolve/main/{PATH}")
    assert (answer.status_code, answer["X-Refusal-Code"]) == (410, "withdrawn")
    page = client.get(f"/{REPO}/tree/main")
    assert page.status_code == 410
    assert client.get(f"/{REPO}").status_code == 200
    assert client.get("/api/models").json()[0]["id"] == REPO
    assert client.get("/models").status_code == 200


def test_a_branch_started_from_another_goes_back_to_the_nearest_ancestor(
    first: Revision, second: Revision
) -> None:
    Revision.objects.filter(pk=second.pk).update(branch="next")
    Ref.objects.create(checkpoint=first.checkpoint, name="next", revision=second)
    second.refresh_from_db()
    withdrawal.withdraw(second, WHY, by=None)
    assert first.checkpoint.refs.get(name="next").revision == first


def test_an_older_pending_revision_still_gets_the_branch(first: Revision) -> None:
    pending = factories.published(REPO, files={PATH: b"{}\n"})
    newer = factories.published(REPO, files=SECOND)
    withdrawal.withdraw(first, WHY, by=None)
    Revision.objects.filter(pk=pending.pk).update(state=Revision.State.PENDING, visible_at=None)
    withdrawal.withdraw(newer, WHY, by=None)
    assert first.checkpoint.refs.get(name="main").revision == newer
    pending.refresh_from_db()
    assert not verification.settle(pending)  # its files are still to be inspected
    for blob_id in Blob.objects.awaiting_inspection().values_list("pk", flat=True):
        verification.inspect(blob_id)
    assert first.checkpoint.refs.get(name="main").revision == pending


def test_a_withdrawn_pending_revision_never_becomes_visible_and_has_no_notice(
    client: Client, first: Revision
) -> None:
    Revision.objects.filter(pk=first.pk).update(state=Revision.State.PENDING, visible_at=None)
    first.refresh_from_db()
    withdrawal.withdraw(first, WHY, by=None)
    assert not verification.settle(first)
    verification.sweep()
    first.refresh_from_db()
    assert first.state == Revision.State.WITHDRAWN
    assert client.get(f"/{REPO}/tree/{first.sha}").status_code == 404


def test_neither_the_content_nor_the_tag_can_be_published_again(
    tmp_path: Path, open_tier: Tier
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / PATH).write_bytes(b"{}\n")
    revision = intake.publish(folder, REPO, tier="open", tag="v1")
    for blob in Blob.objects.all():
        verification.verify(blob.pk)
    revision.refresh_from_db()
    withdrawal.withdraw(revision, WHY, by=None)
    with pytest.raises(PublishRefused, match="was withdrawn"):
        intake.publish(folder, REPO, tier="open")
    (folder / PATH).write_bytes(b'{"other": 1}\n')
    with pytest.raises(PublishRefused, match="the tag 'v1' belongs to"):
        intake.publish(folder, REPO, tier="open", tag="v1")
    assert tagged_revision(revision.checkpoint_id, "v1") == revision


# -- every route --------------------------------------------------------------------------


def test_every_route_refuses_its_bytes_as_withdrawn(
    client: Client, applicant: User, second: Revision, release_owner: User
) -> None:
    link = factories.link_token(applicant, second)
    addresses = [
        f"/{REPO}/resolve/{second.sha}/{PATH}",
        f"/{REPO}/resolve/v2/{PATH}",
        f"/{REPO}/resolve/refs%2Ftags%2Fv2/{PATH}",
        file_address(second),
        f"/d/{link}/{PATH}",
        f"/d/{link}/same.bin",
        f"/d/{link}/",
        f"/d/{link}/SHA256SUMS",
    ]
    for address in addresses:
        assert client.get(address).status_code == 200, address
    withdrawal.withdraw(second, WHY, by=release_owner)
    for address in addresses:
        for method in (client.get, client.head):
            answer = method(address)
            assert (answer.status_code, answer["X-Refusal-Code"]) == (410, "withdrawn"), address
            assert WHY in answer["X-Error-Message"]
            assert "ETag" not in answer
    assert Download.objects.filter(code="withdrawn", user_id=applicant.pk).exists()


def test_the_same_blob_is_still_served_by_another_revision(
    client: Client, first: Revision, withdrawn: Revision
) -> None:
    answer = client.get(f"/{REPO}/resolve/main/same.bin")
    assert b"".join(answer) == FIRST["same.bin"]
    assert answer["X-Repo-Commit"] == first.sha


def test_listings_cached_in_memory_are_no_longer_served(client: Client, second: Revision) -> None:
    addresses = [
        f"/api/models/{REPO}/tree/{second.sha}",
        f"/api/models/{REPO}/tree/v2?recursive=true",
        f"/api/models/{REPO}/revision/{second.sha}?blobs=true",
        f"/api/models/{REPO}/commits/v2",
    ]
    for _ in range(2):
        for address in addresses:
            assert client.get(address).status_code == 200, address
    withdrawal.withdraw(second, WHY, by=None)
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == 410, address
        assert answer["X-Error-Code"] == "RevisionNotFound", address
        assert WHY in answer["X-Error-Message"]


def test_no_list_of_revisions_or_refs_contains_it(
    client: Client, first: Revision, withdrawn: Revision
) -> None:
    told = client.get(f"/api/models/{REPO}/refs").json()
    assert [ref["name"] for ref in told["branches"] + told["tags"]] == ["main"]
    listed = client.get(f"/api/v1/checkpoints/{REPO}/revisions").json()
    assert [one["id"] for one in listed] == [first.sha]
    commits = client.get(f"/api/models/{REPO}/commits/main").json()
    assert [one["id"] for one in commits] == [first.sha]


def test_our_api_answers_410_with_the_code(client: Client, withdrawn: Revision) -> None:
    for address in (
        f"/api/v1/checkpoints/{REPO}/files?revision=v2",
        f"/api/v1/checkpoints/{REPO}/plan?revision={withdrawn.sha}",
    ):
        answer = client.get(address)
        assert (answer.status_code, answer.json()["code"]) == (410, "withdrawn"), address
        assert WHY in answer.json()["detail"]


def test_on_a_gated_checkpoint_strangers_get_the_refusal_of_the_gate_first(
    client: Client, applicant: User, gated_tier: Tier
) -> None:
    revision = factories.published("acme/gated", gated_tier, FIRST)
    withdrawal.withdraw(revision, WHY, by=None)
    answer = client.get(f"/acme/gated/resolve/{revision.sha}/{PATH}")
    assert answer["X-Refusal-Code"] == "login_required"
    factories.grant(applicant, gated_tier)
    headers = {"Authorization": f"Bearer {factories.token(applicant, 'read-gated')}"}
    answer = client.get(f"/acme/gated/resolve/{revision.sha}/{PATH}", headers=headers)
    assert answer["X-Refusal-Code"] == "withdrawn"


def test_a_private_checkpoint_shows_no_notice_to_strangers(
    client: Client, withdrawn: Revision
) -> None:
    Checkpoint.objects.update(private=True)
    for address in (f"/{REPO}/tree/{withdrawn.sha}", f"/{REPO}/resolve/v2/{PATH}"):
        assert client.get(address).status_code == 404, address


# -- the notice ---------------------------------------------------------------------------


@pytest.mark.parametrize("rest", ["tree/{sha}", "tree/v2", "blob/{sha}/config.json"])
def test_the_notice_is_served_at_every_page_of_the_revision(
    client: Client, first: Revision, withdrawn: Revision, rest: str
) -> None:
    page = client.get(f"/{REPO}/{rest.format(sha=withdrawn.sha)}")
    assert (page.status_code, page["X-Refusal-Code"]) == (410, "withdrawn")
    text = page.content.decode()
    assert WHY in text
    assert withdrawn.sha in text
    assert f"/{REPO}/tree/{first.sha}" in text
    assert FIRST[PATH].decode() not in text


def test_the_pages_of_a_checkpoint_show_that_its_only_revision_was_withdrawn(
    client: Client, first: Revision
) -> None:
    withdrawal.withdraw(first, WHY, by=None)
    page = client.get(f"/{REPO}").content.decode()
    assert "<code>withdrawn</code>" in page
    assert "being verified" not in page
    listed = re.sub(r"\s+<", "<", client.get("/models").content.decode())
    assert "withdrawn</td>" in listed
    assert "2 files" not in listed


def test_its_tag_is_marked_on_the_pages(client: Client, withdrawn: Revision) -> None:
    assert "withdrawn" in client.get(f"/{REPO}/commits/main").content.decode()
    assert "(withdrawn)" in client.get(f"/{REPO}/tree/main").content.decode()


# -- who, and how -------------------------------------------------------------------------


def test_only_release_owners_of_the_tier_withdraw(first: Revision, administrator: User) -> None:
    elsewhere = factories.staff("elsewhere", Role.RELEASE_OWNER, factories.tier())
    for person in (administrator, elsewhere):
        with pytest.raises(NotAllowed):
            withdrawal.withdraw(first, WHY, by=person)
    first.refresh_from_db()
    assert first.state == Revision.State.VISIBLE


def test_a_withdrawal_needs_a_reason_and_cannot_be_repeated(first: Revision) -> None:
    with pytest.raises(InvalidValue):
        withdrawal.withdraw(first, "  no ", by=None)
    withdrawal.withdraw(first, WHY, by=None)
    with pytest.raises(WithdrawalRefused):
        withdrawal.withdraw(first, WHY, by=None)
    assert AuditEvent.objects.filter(action="revision.withdrawn").count() == 1


def test_the_admin_asks_for_confirmation_and_then_withdraws(
    client: Client, first: Revision, second: Revision, release_owner: User
) -> None:
    client.force_login(release_owner)
    page = "/admin/weights/revision/"
    asked = {"action": "withdraw", "_selected_action": [str(second.pk)]}
    shown = client.post(page, asked)
    assert "This cannot be undone" in shown.content.decode()
    second.refresh_from_db()
    assert second.state == Revision.State.VISIBLE
    short = client.post(page, {**asked, "confirmed": "1", "reason": "no"})
    assert "at least 5 characters" in short.content.decode()
    done = client.post(page, {**asked, "confirmed": "1", "reason": WHY}, follow=True)
    assert "withdrawn" in done.content.decode()
    second.refresh_from_db()
    assert second.state == Revision.State.WITHDRAWN


def test_an_auditor_is_offered_no_withdrawal(
    client: Client, first: Revision, auditor: User
) -> None:
    client.force_login(auditor)
    asked = {"action": "withdraw", "_selected_action": [str(first.pk)], "confirmed": "1"}
    client.post("/admin/weights/revision/", {**asked, "reason": WHY})
    first.refresh_from_db()
    assert first.state == Revision.State.VISIBLE


def test_the_command_withdraws_and_repeating_it_changes_nothing(
    manage: Callable[..., str], first: Revision, second: Revision
) -> None:
    for _ in range(2):
        told = manage("withdraw", REPO, second.sha, "--reason", WHY)
        assert told == f"{second.sha}\n"
    assert AuditEvent.objects.get(action="revision.withdrawn").credential_kind == "command"
    with pytest.raises(CommandError, match="has no revision v9"):
        manage("withdraw", REPO, "v9", "--reason", WHY)
    with pytest.raises(CommandError, match="say why"):
        manage("withdraw", REPO, first.sha, "--reason", "x")


def test_the_command_says_that_the_revision_of_a_tag_is_already_withdrawn(
    manage: Callable[..., str], second: Revision, capsys: pytest.CaptureFixture[str]
) -> None:
    manage("withdraw", REPO, "v2", "--reason", WHY)
    capsys.readouterr()
    call_command("withdraw", REPO, "v2", "--reason", "Another reason.")
    output = capsys.readouterr()
    assert output.out == f"{second.sha}\n"
    assert output.err == f"{REPO} at {second.sha} is already withdrawn.\n"
    second.refresh_from_db()
    assert second.state_reason == WHY


def test_a_repeated_command_with_a_branch_does_not_withdraw_the_revision_before_it(
    manage: Callable[..., str], first: Revision, second: Revision
) -> None:
    for _ in range(2):
        assert manage("withdraw", REPO, "main", "--reason", WHY) == f"{second.sha}\n"
    first.refresh_from_db()
    assert first.state == Revision.State.VISIBLE
    assert AuditEvent.objects.filter(action="revision.withdrawn").count() == 1
    assert manage("withdraw", REPO, first.sha, "--reason", WHY) == f"{first.sha}\n"


@pytest.mark.django_db(transaction=True)
def test_a_kill_at_any_statement_leaves_a_complete_withdrawal_or_none() -> None:
    first = factories.published(REPO, files=FIRST)
    second = factories.published(REPO, files=SECOND)
    kills = 0
    for _ in each_crash(lambda: withdrawal.withdraw(second, WHY, by=None)):
        kills += 1
        second.refresh_from_db()
        main = first.checkpoint.refs.get(name="main").revision
        assert (second.state, main) == (Revision.State.VISIBLE, second)
        assert not AuditEvent.objects.filter(action="revision.withdrawn").exists()
    second.refresh_from_db()
    assert second.state == Revision.State.WITHDRAWN
    assert first.checkpoint.refs.get(name="main").revision == first
    assert AuditEvent.objects.filter(action="revision.withdrawn").count() == 1
    assert kills > 4
