"""A quarantine's causes in words, a blob's files, and a quarantine from a file's page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ApiClient
from weights.integrity import blob_uses, manual_quarantine
from weights.publishing.models import File, Revision
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("open_tier")]

REPO, PATH, WHY = "acme/model", "config.json", "It holds the answers of a test set."
FILES = {PATH: b'{"model_type": "opt"}\n', "README.md": b"# A model\n"}
#: Transition -> the badge of the page, and the sentence of the gate.
WORDS = {
    "quarantine": ("Damaged bytes", "do not match their SHA-256, or are lost"),
    "refuse": ("Refused by inspection", "was refused by inspection"),
    "hold": ("Quarantined by a release owner", "was quarantined by a release owner"),
}


@pytest.fixture
def revision(store: Path) -> Revision:
    return factories.published(REPO, files=FILES)


@pytest.fixture
def file(revision: Revision) -> File:
    return File.objects.select_related("blob").get(revision=revision, path=PATH)


def _blob_page(blob: Blob) -> str:
    return reverse("admin:weights_blob_change", args=[blob.pk])


def _quarantine_page(file: File) -> str:
    return reverse("admin:weights_file_quarantine", args=[file.pk])


# -- words by cause -----------------------------------------------------------------------------


@pytest.mark.parametrize("transition", WORDS)
def test_page_api_and_hub_client_name_the_cause(
    client: Client, file: File, applicant: User, release_owner: User, transition: str
) -> None:
    file.blob.transition(transition, quarantine_reason=WHY, held=transition == "hold")
    badge, sentence = WORDS[transition]
    page = client.get(f"/{REPO}/blob/main/{PATH}").text
    assert badge in page
    assert escape(WHY) in page
    assert badge in client.get(f"/{REPO}/tree/main").text
    hub = client.get(f"/{REPO}/resolve/main/{PATH}")
    assert sentence in hub["X-Error-Message"]
    asked = {"repo": REPO, "revision": "main", "path": PATH}
    script = ApiClient(applicant, "read")
    assert sentence in script.post("/file-links", asked, 403)["detail"]
    client.force_login(release_owner)
    assert badge in client.get(reverse("admin:weights_file_changelist")).text
    assert badge in client.get(reverse("admin:weights_blob_changelist")).text


def test_damage_found_while_an_owner_holds_it_keeps_the_cause_and_a_good_check_clears_it(
    file: File, release_owner: User
) -> None:
    blob = file.blob
    manual_quarantine.hold(blob, WHY, by=release_owner)
    held = Blob.objects.get(pk=blob.pk)
    held.transition("quarantine")
    assert Blob.objects.get(pk=blob.pk).quarantine_cause == "manual"
    manual_quarantine.lift(held, by=release_owner)
    lifted = Blob.objects.get(pk=blob.pk)
    lifted.transition("verify", last_verified_at=timezone.now())
    assert (lifted.quarantine_cause, lifted.state_label) == ("", "Verified")


# -- a blob names its files ---------------------------------------------------------------------


def test_a_blob_names_its_files_and_checkpoints_with_links(
    client: Client, file: File, release_owner: User
) -> None:
    other = factories.published("acme/other", files={"same.json": FILES[PATH]})
    client.force_login(release_owner)
    page = client.get(_blob_page(file.blob)).text
    for one in (file, other.files.get()):
        assert reverse("admin:weights_file_change", args=[one.pk]) in page
        checkpoint = one.revision.checkpoint
        assert reverse("admin:weights_checkpoint_change", args=[checkpoint.pk]) in page
        assert f"<bdi>{one.path}</bdi>" in page


def test_a_blob_names_no_file_of_a_checkpoint_that_the_reader_may_not_see(
    client: Client, file: File, open_tier: Tier, gated_tier: Tier
) -> None:
    factories.published("acme/hidden", gated_tier, {"x.json": FILES[PATH]}, private=True)
    client.force_login(factories.staff("one", Role.RELEASE_OWNER, open_tier))
    for page in (_blob_page(file.blob), _quarantine_page(file)):
        text = client.get(page).text
        assert REPO in text
        assert "acme/hidden" not in text
    assert "Other tiers use them too" in client.get(_quarantine_page(file)).text


def test_many_files_of_a_blob_are_cut_off_and_cost_no_more_queries(
    file: File, release_owner: User, django_assert_num_queries: Callable[..., Any]
) -> None:
    for number in range(blob_uses.FILES_NAMED + 2):
        name = '<script>"\u202e' + str(number)
        File.objects.create(revision=file.revision, path=name, blob=file.blob, lfs=False)
    with django_assert_num_queries(3):
        links = blob_uses.file_links(file.blob, release_owner)
    assert links.count("<bdi>") == blob_uses.FILES_NAMED
    assert "3 more" in links
    assert "<script>" not in links


# -- quarantine from a file ---------------------------------------------------------------------


def test_a_file_shows_the_reach_of_its_quarantine_before_the_act(
    client: Client, file: File, applicant: User, other_person: User, release_owner: User
) -> None:
    factories.published("acme/other", files={"same.json": FILES[PATH]})
    for person in (applicant, applicant, other_person, None):
        factories.downloaded(person, file.revision, PATH)
    client.force_login(release_owner)
    start = client.get(f"/{REPO}/blob/main/{PATH}").text
    assert _quarantine_page(file) in start
    assert (
        _quarantine_page(file)
        in client.get(reverse("admin:weights_file_change", args=[file.pk])).text
    )
    asked = client.get(_quarantine_page(file)).text
    assert "2 files in 2 revisions of 2 checkpoints" in asked
    assert "People who downloaded these bytes: 2; anonymous downloads: 1" in asked
    assert Blob.objects.get(pk=file.blob_id).state == "verified"
    done = client.post(_quarantine_page(file), {"confirmed": "1", "reason": WHY})
    assert done["Location"] == reverse("admin:weights_file_change", args=[file.pk])
    blob = Blob.objects.get(pk=file.blob_id)
    assert (blob.held, blob.quarantine_reason, blob.quarantine_cause) == (True, WHY, "manual")


def test_a_quarantine_without_a_reason_changes_nothing(
    client: Client, file: File, release_owner: User
) -> None:
    client.force_login(release_owner)
    asked = client.post(_quarantine_page(file), {"confirmed": "1", "reason": ""})
    assert "This field is required" in asked.text
    assert not Blob.objects.filter(held=True).exists()


def test_the_row_of_a_file_starts_its_quarantine(
    client: Client, file: File, release_owner: User
) -> None:
    client.force_login(release_owner)
    data = {"action": "quarantine", "_selected_action": [file.pk]}
    page = reverse("admin:weights_file_changelist")
    assert "People who downloaded these bytes: 0" in client.post(page, data).text
    done = client.post(page, {**data, "confirmed": "1", "reason": WHY}, follow=True).text
    assert f"Quarantined: {PATH}" in done
    assert Blob.objects.get(pk=file.blob_id).held
    again = client.post(page, {**data, "confirmed": "1", "reason": WHY}, follow=True).text
    assert f"Nothing was done to {PATH}: " in again


def test_nobody_else_is_offered_a_quarantine(
    client: Client, file: File, gated_tier: Tier, auditor: User, applicant: User
) -> None:
    other = factories.staff("other", Role.RELEASE_OWNER, gated_tier)
    for person, status in ((auditor, 403), (other, 404), (applicant, 302)):
        client.force_login(person)
        assert "/quarantine/" not in client.get(f"/{REPO}/blob/main/{PATH}").text
        assert client.get(_quarantine_page(file)).status_code == status
        client.post(_quarantine_page(file), {"confirmed": "1", "reason": WHY})
    assert not Blob.objects.filter(held=True).exists()


# -- the end of a quarantine, from a file or a blob ----------------------------------------------


def _lift_page(blob: Blob) -> str:
    return reverse("admin:weights_blob_lift", args=[blob.pk])


@pytest.mark.slow
def test_file_and_blob_offer_to_lift_a_quarantine_and_show_its_reach_first(
    client: Client, file: File, applicant: User, release_owner: User
) -> None:
    factories.downloaded(applicant, file.revision, PATH)
    client.force_login(release_owner)
    pages = (f"/{REPO}/blob/main/{PATH}", _blob_page(file.blob))
    assert all("Lift quarantine" not in client.get(page).text for page in pages)
    manual_quarantine.hold(file.blob, WHY, by=release_owner)
    assert all(_lift_page(file.blob) in client.get(page).text for page in pages)
    asked = client.get(_lift_page(file.blob)).text
    assert "1 file in 1 revision of 1 checkpoint" in asked
    assert "People who downloaded these bytes: 1; anonymous downloads: 0" in asked
    assert Blob.objects.get(pk=file.blob_id).held
    done = client.post(_lift_page(file.blob), {"confirmed": "1"})
    assert done["Location"] == _blob_page(file.blob)
    blob = Blob.objects.get(pk=file.blob_id)
    assert (blob.held, blob.check_due_at is None) == (False, False)


@pytest.mark.slow
def test_nobody_else_is_offered_the_end_of_a_quarantine(
    client: Client, file: File, gated_tier: Tier, auditor: User, applicant: User
) -> None:
    owner = factories.staff("both", Role.RELEASE_OWNER)
    of_one = factories.staff("one", Role.RELEASE_OWNER, file.revision.checkpoint.tier)
    manual_quarantine.hold(file.blob, WHY, by=owner)
    factories.published("acme/other", gated_tier, {"same.json": FILES[PATH]})
    other = factories.staff("other", Role.RELEASE_OWNER, gated_tier)
    for person, status in ((auditor, 403), (other, 200), (of_one, 200), (applicant, 302)):
        client.force_login(person)
        assert "Lift quarantine" not in client.get(f"/{REPO}/blob/main/{PATH}").text
        assert "Lift quarantine" not in client.get(_blob_page(file.blob)).text
        assert client.get(_lift_page(file.blob)).status_code == status
        client.post(_lift_page(file.blob), {"confirmed": "1"})
    assert Blob.objects.get(pk=file.blob_id).held


def test_the_page_of_a_blob_explains_its_fields(
    client: Client, file: File, release_owner: User
) -> None:
    client.force_login(release_owner)
    page = client.get(_blob_page(file.blob)).text
    for text in ("SHA-256:", "Held by a release owner", "Failed checks in a row", "Next check"):
        assert text in page
    assert "every write changes it" in page
