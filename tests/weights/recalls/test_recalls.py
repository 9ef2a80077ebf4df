"""A recall mails only those who downloaded the bytes, once per state."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.mail.models import OutgoingMail
from accounts.privacy import erasure
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.crashes import each_crash
from tests.support.hurry import at_once
from weights import recalls
from weights.catalogue.models import Checkpoint
from weights.integrity import manual_quarantine, verification
from weights.integrity.verification.outcomes import REREADS
from weights.ledger.models import Download
from weights.publishing import intake, withdrawal
from weights.publishing.models import Revision
from weights.recalls import mailing
from weights.recalls.models import Recall
from weights.storage import blob_storage
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("open_tier", "store")]

REPO, PATH, WHY = "acme/model", "model.bin", "It was trained on the wrong split."
BODY = b"\0weights" * 500


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    root.mkdir()
    (root / PATH).write_bytes(BODY)
    (root / "config.json").write_bytes(b"{}\n")
    return root


@pytest.fixture
def revision(folder: Path) -> Revision:
    return publish(folder)


@pytest.fixture
def blob(revision: Revision) -> Blob:
    return revision.files.get(path=PATH).blob


@pytest.fixture
def readers(revision: Revision) -> list[User]:
    people = [factories.person() for _ in range(3)]
    for person in people:
        fetched(person, revision)
    return people


def publish(folder: Path, repo_id: str = REPO) -> Revision:
    revision = intake.publish(folder, repo_id, tier="open")
    verify_all()
    revision.refresh_from_db()
    assert revision.state == Revision.State.VISIBLE
    return revision


def verify_all() -> None:
    for _ in range(1 + REREADS):
        for blob in Blob.objects.awaiting_result():
            verification.verify(blob.pk)


def fetched(
    person: User | None,
    revision: Revision,
    path: str = PATH,
    outcome: Download.Outcome = Download.Outcome.SERVED,
) -> Download:
    return factories.downloaded(person, revision, path, outcome)


def on_disk(blob: Blob) -> Path:
    path = blob_storage().local_path(blob.sha256)
    assert path is not None
    return path


def damage(blob: Blob) -> None:
    path = on_disk(blob)
    path.write_bytes(b"\1" + path.read_bytes()[1:])


def find_damage(blob: Blob) -> Recall:
    damage(blob)
    verification.recheck(Blob.objects.filter(pk=blob.pk))
    verify_all()
    return Recall.objects.get()


def mailed(kind: str) -> list[str]:
    return sorted(OutgoingMail.objects.filter(kind=kind).values_list("to", flat=True))


def addresses(people: list[User]) -> list[str]:
    return sorted(person.email for person in people)


# -- recipients ---------------------------------------------------------------------------


def test_exactly_those_who_downloaded_it_are_mailed_once(
    revision: Revision, blob: Blob, readers: list[User], other_person: User
) -> None:
    fetched(readers[0], revision)
    fetched(None, revision)
    fetched(other_person, revision, "config.json")
    fetched(factories.person(), revision, outcome=Download.Outcome.REFUSED)
    fetched(factories.person(), revision, outcome=Download.Outcome.SHOWN)
    redirected = factories.person()
    fetched(redirected, revision, outcome=Download.Outcome.REDIRECTED)
    recall = find_damage(blob)
    for _ in range(3):
        recalls.mail_people(recall.pk)
    assert mailed("recall_opened") == addresses([*readers, redirected])
    text = OutgoingMail.objects.filter(kind="recall_opened").first()
    assert text is not None
    for told in (REPO, PATH, blob.sha256, str(recall.public_id), "sha256sum --check"):
        assert told in text.text


def test_the_mail_gives_the_reason_as_a_sentence(
    blob: Blob, readers: list[User], folder: Path, client: Client
) -> None:
    recall = find_damage(blob)
    recalls.mail_people(recall.pk)
    assert recall.reason.startswith("its bytes in the store have SHA-256 ")
    said = f"Its bytes{recall.reason[len('its bytes') :]}."
    text = OutgoingMail.objects.filter(kind="recall_opened")[0].text
    assert f"\nReason: {said}\n" in text
    assert ",\n\nA file that you downloaded has been recalled:\n" in text
    assert said in client.get(recall.get_absolute_url()).text
    assert said in client.get("/recalls/feed.atom").text


def test_the_same_bytes_in_another_checkpoint_count_and_each_holder_is_mailed_their_own_files(
    folder: Path, blob: Blob, readers: list[User], other_person: User
) -> None:
    (folder / PATH).rename(folder / "copy.bin")
    other = publish(folder, "acme/other")
    fetched(other_person, other, "copy.bin")
    recall = find_damage(blob)
    recalls.mail_people(recall.pk)
    assert mailed("recall_opened") == addresses([*readers, other_person])
    mine = OutgoingMail.objects.get(recipient=other_person, kind="recall_opened").text
    assert "acme/other  copy.bin" in mine
    assert REPO not in mine


def test_erased_and_closed_accounts_get_nothing(blob: Blob, readers: list[User]) -> None:
    erasure.erase(readers[0], by=readers[0])
    User.objects.filter(pk=readers[1].pk).update(is_active=False)
    recalls.mail_people(find_damage(blob).pk)
    assert mailed("recall_opened") == [readers[2].email]


def test_downloads_that_were_running_at_the_recall_are_found_by_a_second_pass(
    revision: Revision, blob: Blob, readers: list[User]
) -> None:
    recall = find_damage(blob)
    recalls.mail_people(recall.pk)
    late = factories.person()
    fetched(late, revision)
    recalls.sweep()
    recall.refresh_from_db()
    assert recall.told_at is not None
    later = timezone.now() + mailing.SECOND_PASS_AFTER + timedelta(seconds=1)
    with time_machine.travel(later):
        recalls.sweep()
        recalls.mail_people(recall.pk)
        assert mailed("recall_opened") == addresses([*readers, late])
        recall.refresh_from_db()
        told_at = recall.told_at
        recalls.sweep()
        recall.refresh_from_db()
        assert recall.told_at == told_at


def test_many_recipients_are_mailed_in_batches_without_loading_them_all(
    revision: Revision, blob: Blob, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A bound made small: twenty people make three batches.
    monkeypatch.setattr(mailing, "BATCH", 7)
    people = [factories.person() for _ in range(20)]
    for person in people:
        fetched(person, revision)
    recall = find_damage(blob)
    recalls.mail_people(recall.pk)
    assert mailed("recall_opened") == addresses(people)


# -- a kill, and two at once --------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_at_any_statement_omits_nobody_and_mails_nobody_twice(
    revision: Revision, blob: Blob, readers: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A bound made small, so that there are statements between two batches.
    monkeypatch.setattr(mailing, "BATCH", 2)
    recall = find_damage(blob)
    kills = sum(1 for _ in each_crash(lambda: recalls.mail_people(recall.pk)))
    assert kills > 5
    assert mailed("recall_opened") == addresses(readers)
    recall.refresh_from_db()
    assert recall.told_at is not None


@pytest.mark.django_db(transaction=True)
def test_two_workers_mail_each_person_once(
    revision: Revision, blob: Blob, readers: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A bound made small: as many batches as people.
    monkeypatch.setattr(mailing, "BATCH", 1)
    recall = find_damage(blob)
    at_once(*[lambda: recalls.mail_people(recall.pk)] * 3)
    assert mailed("recall_opened") == addresses(readers)


@pytest.mark.django_db(transaction=True)
def test_a_kill_while_quarantining_leaves_quarantine_and_recall_or_neither(
    revision: Revision, blob: Blob, readers: list[User]
) -> None:
    damage(blob)
    Blob.objects.filter(pk=blob.pk).update(doubts=REREADS, check_due_at=timezone.now())

    def again() -> None:
        Blob.objects.filter(pk=blob.pk).update(leased_until=None)
        verification.verify(blob.pk)

    for _ in each_crash(again):
        state = Blob.objects.get(pk=blob.pk).state
        assert Recall.objects.exists() is (state == Blob.State.QUARANTINED)
    assert Recall.objects.get().state == Recall.State.OPEN
    assert AuditEvent.objects.filter(action="recall.opened").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_quarantine_and_a_repair_at_once_end_in_one_of_both(
    folder: Path, revision: Revision, blob: Blob, readers: list[User]
) -> None:
    damage(blob)
    Blob.objects.filter(pk=blob.pk).update(doubts=REREADS, check_due_at=timezone.now())

    def repair() -> None:
        intake.publish(folder, REPO, tier="open")

    at_once(lambda: verification.verify(blob.pk), repair)
    intake.publish(folder, REPO, tier="open")  # its owner sees a quarantine, and does it again
    verify_all()
    blob.refresh_from_db()
    assert blob.state == Blob.State.VERIFIED
    assert on_disk(blob).read_bytes() == BODY
    assert not Recall.objects.open().exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_call_it_back_at_once_open_one_recall(blob: Blob, release_owner: User) -> None:
    hold = partial(manual_quarantine.hold, blob, WHY, by=release_owner, recall=True)
    assert at_once(hold, hold) == ["bad_transition", "done"]
    assert Recall.objects.count() == 1
    assert AuditEvent.objects.filter(action="blob.quarantined").count() == 1


# -- repair -------------------------------------------------------------------------------


def test_the_same_bytes_put_back_and_verified_repair_it(
    folder: Path, blob: Blob, readers: list[User]
) -> None:
    recall = find_damage(blob)
    recalls.mail_people(recall.pk)
    intake.publish(folder, REPO, tier="open")
    recall.refresh_from_db()
    assert recall.state == Recall.State.OPEN  # not before they were read back
    verify_all()
    recall.refresh_from_db()
    assert (recall.state, recall.repaired_in) == (Recall.State.REPAIRED, None)
    recalls.mail_people(recall.pk)
    assert mailed("recall_repaired") == addresses(readers)
    text = OutgoingMail.objects.filter(kind="recall_repaired")[0].text
    assert f"Old SHA-256 {blob.sha256}" in text
    assert f"New SHA-256 {blob.sha256} (the same content, verified again)" in text


def test_other_bytes_at_the_same_path_repair_it_and_both_hashes_are_named(
    folder: Path, revision: Revision, blob: Blob, readers: list[User], release_owner: User
) -> None:
    manual_quarantine.hold(blob, WHY, by=release_owner, recall=True)
    recall = Recall.objects.get()
    recalls.mail_people(recall.pk)
    (folder / PATH).write_bytes(b"\0better" * 500)
    newer = publish(folder)
    recall.refresh_from_db()
    assert (recall.state, recall.repaired_in) == (Recall.State.REPAIRED, newer)
    recalls.mail_people(recall.pk)
    assert mailed("recall_opened") == mailed("recall_repaired") == addresses(readers)
    text = OutgoingMail.objects.filter(kind="recall_repaired")[0].text
    assert f"Old SHA-256 {blob.sha256}" in text
    assert f"New SHA-256 {newer.files.get(path=PATH).sha256}, revision {newer.sha[:12]}" in text
    blob.refresh_from_db()
    assert blob.state == Blob.State.QUARANTINED


def test_it_stays_open_while_another_branch_or_checkpoint_has_nothing_better(
    folder: Path, blob: Blob, release_owner: User
) -> None:
    publish(folder, "acme/other")
    manual_quarantine.hold(blob, WHY, by=release_owner, recall=True)
    (folder / PATH).write_bytes(b"\0better" * 500)
    publish(folder)
    assert Recall.objects.open().exists()
    publish(folder, "acme/other")
    assert not Recall.objects.open().exists()


def test_a_revision_without_the_file_repairs_nothing(
    folder: Path, blob: Blob, release_owner: User
) -> None:
    manual_quarantine.hold(blob, WHY, by=release_owner, recall=True)
    (folder / PATH).unlink()
    publish(folder)
    assert Recall.objects.open().exists()


def test_a_download_after_the_repair_is_not_notified(
    folder: Path, revision: Revision, blob: Blob, readers: list[User]
) -> None:
    recall = find_damage(blob)
    intake.publish(folder, REPO, tier="open")
    verify_all()
    fetched(factories.person(), revision)
    recalls.mail_people(recall.pk)
    assert mailed("recall_repaired") == addresses(readers)
    assert mailed("recall_opened") == []  # it was repaired before anybody was written to


def test_damage_after_a_repair_is_a_recall_of_its_own(
    folder: Path, revision: Revision, blob: Blob, readers: list[User]
) -> None:
    recalls.mail_people(find_damage(blob).pk)
    intake.publish(folder, REPO, tier="open")
    verify_all()
    damage(blob)
    verification.recheck(Blob.objects.filter(pk=blob.pk))
    verify_all()
    second = Recall.objects.open().get()
    recalls.mail_people(second.pk)
    assert mailed("recall_opened") == sorted(addresses(readers) * 2)


# -- a withdrawn revision -----------------------------------------------------------------


def test_a_withdrawn_revision_is_recalled_only_on_request(
    revision: Revision, readers: list[User], release_owner: User
) -> None:
    withdrawal.withdraw(revision, WHY, by=release_owner)
    assert not Recall.objects.exists()


def test_everyone_who_downloaded_a_withdrawn_revision_is_notified_of_each_withdrawal(
    folder: Path, revision: Revision, readers: list[User], other_person: User, release_owner: User
) -> None:
    fetched(other_person, revision, "config.json")
    withdrawal.withdraw(revision, WHY, by=release_owner, recall=True)
    recall = Recall.objects.get()
    recalls.mail_people(recall.pk)
    assert mailed("recall_opened") == addresses([*readers, other_person])
    assert WHY in OutgoingMail.objects.filter(kind="recall_opened")[0].text
    (folder / PATH).write_bytes(b"\0better" * 500)
    newer = publish(folder)
    recall.refresh_from_db()
    assert (recall.state, recall.repaired_in) == (Recall.State.REPAIRED, newer)
    recalls.mail_people(recall.pk)
    assert newer.sha in OutgoingMail.objects.filter(kind="recall_repaired")[0].text


# -- what everybody reads -----------------------------------------------------------------


def test_the_notice_is_on_the_checkpoint_the_list_the_feed_and_the_api(
    client: Client, blob: Blob, readers: list[User]
) -> None:
    recall = find_damage(blob)
    front = client.get(f"/{REPO}").content.decode()
    assert recall.get_absolute_url() in front
    assert "Recall open" in front
    assert recall.get_absolute_url() in client.get("/recalls/").content.decode()
    page = client.get(recall.get_absolute_url()).content.decode()
    assert blob.sha256 in page
    assert readers[0].username not in page
    feed = ElementTree.fromstring(client.get("/recalls/feed.atom").content)  # noqa: S314 - ours
    assert feed.findtext("{*}entry/{*}id") == recall.public_id.urn
    told = client.get("/api/v1/recalls?state=open").json()
    assert told["total"] == 1
    assert told["recalls"][0]["sha256"] == blob.sha256
    assert told["recalls"][0]["places"] == [{"repo": REPO, "path": PATH}]
    assert client.get("/api/v1/recalls?state=repaired").json()["total"] == 0
    assert client.get("/api/v1/recalls?state=none").status_code == 422


def test_after_the_repair_the_page_shows_the_current_content(
    client: Client, folder: Path, blob: Blob, release_owner: User
) -> None:
    manual_quarantine.hold(blob, WHY, by=release_owner, recall=True)
    (folder / PATH).write_bytes(b"\0better" * 500)
    newer = publish(folder)
    recall = Recall.objects.get()
    page = client.get(recall.get_absolute_url()).content.decode()
    assert newer.files.get(path=PATH).sha256 in page
    assert "Repaired" in client.get(f"/{REPO}").content.decode()


def test_only_people_who_may_see_a_private_checkpoint_are_notified_about_it(
    client: Client, blob: Blob, release_owner: User
) -> None:
    recall = find_damage(blob)
    Checkpoint.objects.update(private=True)
    assert client.get(recall.get_absolute_url()).status_code == 404
    assert recall.get_absolute_url() not in client.get("/recalls/").content.decode()
    assert str(recall.public_id) not in client.get("/recalls/feed.atom").content.decode()
    assert client.get("/api/v1/recalls").json()["total"] == 0
    client.force_login(release_owner)
    assert client.get(recall.get_absolute_url()).status_code == 200


def test_a_stranger_reads_only_of_the_public_one_of_two_checkpoints_with_the_same_bytes(
    client: Client, folder: Path, blob: Blob
) -> None:
    publish(folder, "acme/secret")
    Checkpoint.objects.filter(name="secret").update(private=True)
    recall = find_damage(blob)
    for address in (recall.get_absolute_url(), "/recalls/", f"/{REPO}", "/api/v1/recalls"):
        assert "acme/secret" not in client.get(address).content.decode(), address


# -- the owner's page ---------------------------------------------------------------------


def test_its_owner_sees_how_far_it_reaches_and_takes_the_list_on_record(
    client: Client, revision: Revision, blob: Blob, readers: list[User], release_owner: User
) -> None:
    fetched(None, revision)
    recall = find_damage(blob)
    recalls.mail_people(recall.pk)
    client.force_login(release_owner)
    address = f"/admin/weights/recall/{recall.pk}/change/"
    page = " ".join(client.get(address).content.decode().split())
    assert "3 people downloaded it in 4 requests, 1 of them anonymous" in page
    assert "3 written" in page
    assert readers[0].username in page
    answer = client.post(f"/admin/weights/recall/{recall.pk}/fetchers/")
    lines = b"".join(answer).decode().splitlines()
    assert len(lines) == 4
    assert readers[0].email in lines[1]
    event = AuditEvent.objects.get(action="recall.fetchers_exported")
    assert (event.actor_name, event.details) == ("owner", {"people": 3})
    assert client.get(f"/admin/weights/recall/{recall.pk}/fetchers/").status_code == 403


def test_an_administrator_sees_counts_and_no_people(
    client: Client, blob: Blob, readers: list[User], administrator: User
) -> None:
    recall = find_damage(blob)
    client.force_login(administrator)
    page = client.get(f"/admin/weights/recall/{recall.pk}/change/").content.decode()
    assert "3 people downloaded it" in page
    assert readers[0].username not in page
    assert client.post(f"/admin/weights/recall/{recall.pk}/fetchers/").status_code == 403


def test_an_owner_of_one_tier_sees_those_who_fetched_there_alone(
    client: Client, folder: Path, blob: Blob, readers: list[User], gated_tier: Tier
) -> None:
    gated = intake.publish(folder, "acme/gated", tier=gated_tier.slug)
    verify_all()
    there = factories.person()
    fetched(there, gated)
    recall = find_damage(blob)
    client.force_login(factories.staff("own", Role.RELEASE_OWNER, gated_tier))
    page = client.get(f"/admin/weights/recall/{recall.pk}/change/").content.decode()
    assert "1 person downloaded it" in page
    assert there.username in page
    assert readers[0].username not in page


@pytest.mark.requirement("AD-10")
def test_an_owner_of_one_tier_who_administers_another_sees_no_people_of_the_other(
    client: Client, folder: Path, blob: Blob, readers: list[User], gated_tier: Tier
) -> None:
    recall = find_damage(blob)
    person = factories.staff("own", Role.RELEASE_OWNER, gated_tier)
    RoleAssignment.objects.assign(person, Role.ADMINISTRATOR, Tier.objects.get(slug="open"))
    client.force_login(person)
    page = client.get(f"/admin/weights/recall/{recall.pk}/change/").content.decode()
    assert "3 people downloaded it" in page
    assert readers[0].username not in page
    answer = client.post(f"/admin/weights/recall/{recall.pk}/fetchers/")
    assert readers[0].email not in b"".join(answer).decode()


# -- cost ---------------------------------------------------------------------------------


def test_a_batch_takes_a_fixed_number_of_queries_beside_its_mails(
    revision: Revision, blob: Blob, django_assert_max_num_queries: Callable[..., object]
) -> None:
    for _ in range(10):
        fetched(factories.person(), revision)
    recall = find_damage(blob)
    with django_assert_max_num_queries(20 + 10 * 5):  # type: ignore[attr-defined]
        recalls.mail_people(recall.pk)
    assert connection.vendor in {"sqlite", "postgresql"}


@pytest.mark.parametrize("leaves", [True, False])
def test_the_list_promises_mails_only_where_a_mail_server_is_set(
    client: Client, settings: Settings, leaves: bool
) -> None:
    settings.MAIL_LEAVES = leaves
    page = client.get("/recalls/").text
    assert ("notified by e-mail" in page) is leaves
    assert ("this portal sends no mail" in page) is not leaves
