"""No route serves a quarantined blob, from the next request until a check verifies it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as portal_settings
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.errors import InvalidValue, NotAllowed, TransitionRefused
from accounts.roles.permissions import Role
from accounts.users.models import User
from tests.support import factories
from weights.catalogue import file_facts
from weights.delivery import signed_claims
from weights.errors import PublishRefused
from weights.inspection.models import Inspection
from weights.integrity import manual_quarantine, verification
from weights.integrity.verification.outcomes import REREADS
from weights.publishing import intake
from weights.publishing.models import File, Revision
from weights.recalls.models import Recall
from weights.storage import blob_storage
from weights.storage.folder_store import FileStorage
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("open_tier")]

REPO, PATH, WHY = "acme/model", "config.json", "It holds the answers of a test set."
HOSTILE = b"\x80\x02cposix\nsystem\n."
FILES = {PATH: b'{"model_type": "opt"}\n', "README.md": b"# A model\n"}


@pytest.fixture
def revision(store: Path) -> Revision:
    return factories.published(REPO, files=FILES)


@pytest.fixture
def blob(revision: Revision) -> Blob:
    found = revision.files.get(path=PATH).blob
    Blob.objects.update(last_verified_at=timezone.now())
    found.refresh_from_db()
    return found


def doors(revision: Revision, holder: User) -> list[str]:
    """One URL for each route that serves the file's bytes."""
    file = revision.files.get(path=PATH)
    ends = timezone.now() + timedelta(days=1)
    claim = signed_claims.FileClaim(file.pk, file.sha256, "open", int(ends.timestamp()))
    query = factories.signed_query(claim, portal_settings.LINK_KEYS)
    token = factories.link_token(holder, revision)
    return [
        f"/{REPO}/resolve/main/{PATH}",
        f"/{REPO}/resolve/{revision.sha}/{PATH}",
        f"/f/{REPO}/{revision.sha}/{PATH}?{query}",
        f"/d/{token}/{PATH}",
    ]


def assert_closed(client: Client, addresses: list[str]) -> None:
    for address in addresses:
        for asked in (client.get, client.head):
            for headers in ({}, {"Range": "bytes=0-1"}, {"If-None-Match": "*"}):
                answer = asked(address, headers=headers)
                assert answer.status_code == 403, address
                assert answer["X-Refusal-Code"] == "file_quarantined", address
                assert "ETag" not in answer
                assert "X-Accel-Redirect" not in answer
                assert "Location" not in answer


# -- routes -------------------------------------------------------------------------------


@pytest.mark.requirement("ST-4")
@pytest.mark.parametrize("accel", ["", "/blobs/"])
def test_on_files_every_route_refuses_it_at_the_next_request(
    client: Client,
    revision: Revision,
    blob: Blob,
    applicant: User,
    release_owner: User,
    settings: Settings,
    accel: str,
) -> None:
    settings.ACCEL_LOCATION = accel
    addresses = doors(revision, applicant)
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert answer.has_header("X-Accel-Redirect") is bool(accel)
    manual_quarantine.hold(blob, WHY, by=release_owner)
    assert_closed(client, addresses)


def test_on_s3_no_route_signs_a_url_for_it(
    client: Client, s3_store: str, applicant: User, release_owner: User
) -> None:
    revision = factories.published(REPO, files=FILES)
    addresses = doors(revision, applicant)
    for address in addresses:
        assert client.get(address).status_code == 302, address
    manual_quarantine.hold(revision.files.get(path=PATH).blob, WHY, by=release_owner)
    assert_closed(client, addresses)


def test_pages_and_lists_show_it_but_serve_nothing_of_it(
    client: Client, revision: Revision, blob: Blob, release_owner: User
) -> None:
    assert b"model_type" in client.get(f"/{REPO}/blob/main/{PATH}").content
    manual_quarantine.hold(blob, WHY, by=release_owner)
    file_page = client.get(f"/{REPO}/blob/main/{PATH}").content.decode()
    assert "model_type" not in file_page
    assert "file_quarantined" in file_page
    assert WHY in file_page
    assert "quarantined" in client.get(f"/{REPO}/tree/main").content.decode()
    front = client.get(f"/{REPO}").content.decode()
    assert "1 file of this revision is quarantined" in front
    listed = client.get(f"/api/models/{REPO}/tree/main").json()
    assert PATH in [entry["path"] for entry in listed]
    files = client.get(f"/api/v1/checkpoints/{REPO}/files").json()["files"]
    assert {one["path"]: one["state"] for one in files}[PATH] == "quarantined"
    plan = client.get(f"/api/v1/checkpoints/{REPO}/plan").json()["files"]
    told = {one["path"]: one for one in plan}[PATH]
    assert (told["url"], told["code"]) == (None, "file_quarantined")
    known = client.get(f"/api/v1/files/{blob.sha256}").json()
    assert known["state"] == "quarantined"


def test_every_revision_that_uses_it_is_closed(
    client: Client, revision: Revision, blob: Blob, release_owner: User
) -> None:
    factories.published("acme/other", files={"same.json": FILES[PATH]})
    manual_quarantine.hold(blob, WHY, by=release_owner)
    answer = client.get("/acme/other/resolve/main/same.json")
    assert answer["X-Refusal-Code"] == "file_quarantined"
    assert client.get(f"/{REPO}/resolve/main/README.md").status_code == 200


# -- manual -------------------------------------------------------------------------------


def test_a_hold_is_audited_with_its_reason(
    revision: Revision, blob: Blob, release_owner: User
) -> None:
    manual_quarantine.hold(blob, WHY, by=release_owner)
    blob.refresh_from_db()
    assert (blob.state, blob.quarantine_reason) == ("quarantined", WHY)
    event = AuditEvent.objects.get(action="blob.quarantined")
    assert (event.actor_name, event.details["reason"]) == ("owner", WHY)
    assert not Recall.objects.exists()
    with pytest.raises(TransitionRefused):
        manual_quarantine.hold(blob, WHY, by=release_owner)


def test_no_check_lifts_a_manual_quarantine(blob: Blob, release_owner: User) -> None:
    manual_quarantine.hold(blob, WHY, by=release_owner)
    verification.recheck(Blob.objects.all())
    verification.verify(blob.pk)
    blob.refresh_from_db()
    assert (blob.state, blob.quarantine_reason) == ("quarantined", WHY)
    assert blob.check_due_at is None
    assert blob.runs.get().result == "verified"


def test_a_lifted_blob_is_served_only_after_a_good_check(
    client: Client, blob: Blob, release_owner: User
) -> None:
    manual_quarantine.hold(blob, WHY, by=release_owner)
    manual_quarantine.lift(blob, by=release_owner)
    address = f"/{REPO}/resolve/main/{PATH}"
    assert client.get(address)["X-Refusal-Code"] == "file_quarantined"
    verification.verify(blob.pk)
    assert client.get(address).status_code == 200
    with pytest.raises(TransitionRefused):
        manual_quarantine.lift(blob, by=release_owner)


def test_a_lift_of_bad_bytes_leaves_them_in_quarantine(blob: Blob, release_owner: User) -> None:
    manual_quarantine.hold(blob, WHY, by=release_owner)
    path = blob_storage().local_path(blob.sha256)
    assert path is not None
    path.write_bytes(b'{"model_type": "OPT"}\n')
    manual_quarantine.lift(blob, by=release_owner)
    verification.verify(blob.pk)
    blob.refresh_from_db()
    assert blob.state == Blob.State.QUARANTINED
    assert "SHA-256" in blob.quarantine_reason
    assert not Recall.objects.exists()


def test_a_check_that_was_running_no_longer_counts(
    blob: Blob, release_owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = FileStorage.open

    def held_meanwhile(self: FileStorage, sha256: str, **where: Any) -> Any:
        manual_quarantine.hold(blob, WHY, by=release_owner)
        return opened(self, sha256, **where)

    verification.recheck(Blob.objects.filter(pk=blob.pk))
    # The real file is still read; the hold falls just before it.
    monkeypatch.setattr(FileStorage, "open", held_meanwhile)
    verification.verify(blob.pk)
    blob.refresh_from_db()
    assert (blob.state, blob.held) == (Blob.State.QUARANTINED, True)
    assert blob.runs.get().result == "abandoned"


def test_a_quarantine_during_publication_keeps_the_revision_hidden(
    tmp_path: Path, store: Path, release_owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_bytes(FILES[PATH])
    revision = intake.publish(tmp_path, "acme/held", tier="open")
    blob = revision.files.get().blob
    note = file_facts.read_revision

    def held_meanwhile(of: Revision) -> None:
        note(of)
        manual_quarantine.hold(blob, WHY, by=release_owner)

    # The real contents are still noted; the hold falls between the two looks at the blobs.
    monkeypatch.setattr(file_facts, "read_revision", held_meanwhile)
    verification.verify(blob.pk)
    revision.refresh_from_db()
    assert revision.state == Revision.State.FAILED
    assert WHY in revision.state_reason
    assert not revision.checkpoint.refs.exists()


def test_a_quarantine_lifted_during_a_check_still_needs_a_good_result(
    store: Path, release_owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = factories.published("acme/pickle", files={"model.bin": HOSTILE})
    Inspection.objects.all().delete()
    blob = revision.files.get().blob
    manual_quarantine.hold(blob, WHY, by=release_owner)
    verification.recheck(Blob.objects.all())
    opened = FileStorage.open

    def lifted_meanwhile(self: FileStorage, sha256: str, **where: Any) -> Any:
        found = opened(self, sha256, **where)
        if Blob.objects.get().held:
            manual_quarantine.lift(blob, by=release_owner)
        return found

    # The real file is still being read when an owner lifts the quarantine.
    monkeypatch.setattr(FileStorage, "open", lifted_meanwhile)
    verification.verify(blob.pk)
    verification.verify(blob.pk)
    blob.refresh_from_db()
    assert (blob.state, blob.held) == (Blob.State.QUARANTINED, False)
    assert "posix" in blob.quarantine_reason


def test_publishing_the_same_bytes_again_does_not_bring_them_back(
    tmp_path: Path, blob: Blob, release_owner: User
) -> None:
    manual_quarantine.hold(blob, WHY, by=release_owner)
    folder = tmp_path / "again"
    folder.mkdir()
    (folder / "renamed.json").write_bytes(FILES[PATH])
    with pytest.raises(
        PublishRefused, match=r"renamed\.json contains bytes that are in quarantine"
    ):
        intake.publish(folder, "acme/again", tier="open")
    assert not Revision.objects.filter(checkpoint__name="again").exists()
    assert not File.objects.filter(path="renamed.json").exists()
    blob.refresh_from_db()
    assert blob.state == Blob.State.QUARANTINED


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.AUDITOR, Role.LEAD_REVIEWER])
def test_other_roles_cannot_quarantine(blob: Blob, role: Role) -> None:
    with pytest.raises(NotAllowed):
        manual_quarantine.hold(blob, WHY, by=factories.staff("member", role))


def test_an_owner_of_one_tier_cannot_quarantine_a_blob_that_another_uses(blob: Blob) -> None:
    other = factories.tier()
    factories.published("acme/other", other, files={"same.json": FILES[PATH]})
    owner = factories.staff("own", Role.RELEASE_OWNER, other)
    with pytest.raises(NotAllowed, match="open"):
        manual_quarantine.hold(blob, WHY, by=owner)
    with pytest.raises(InvalidValue):
        manual_quarantine.hold(blob, "no", by=factories.staff("all", Role.RELEASE_OWNER))


def test_the_admin_asks_for_a_reason_holds_and_lifts(
    client: Client, blob: Blob, release_owner: User
) -> None:
    client.force_login(release_owner)
    page = "/admin/weights/blob/"
    asked = {"action": "quarantine", "_selected_action": [str(blob.pk)]}
    assert "no longer served" in client.post(page, asked).content.decode()
    assert not Blob.objects.filter(held=True).exists()
    client.post(page, {**asked, "confirmed": "1", "reason": WHY, "recall": "on"})
    assert Blob.objects.get(held=True) == blob
    assert Recall.objects.get().opened_by == release_owner
    lifted = {"action": "lift", "_selected_action": [str(blob.pk)]}
    assert "The bytes are read again" in client.post(page, lifted).content.decode()
    client.post(page, {**lifted, "confirmed": "1"})
    verification.verify(blob.pk)
    blob.refresh_from_db()
    assert blob.state == Blob.State.VERIFIED


# -- three more reads ---------------------------------------------------------------------


def damage(blob: Blob) -> Callable[[], object]:
    """Flip a bit on disk; what is returned puts it back."""
    path = blob_storage().local_path(blob.sha256)
    assert path is not None
    good = path.read_bytes()
    path.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    return lambda: path.write_bytes(good)


@pytest.mark.requirement("ST-8")
def test_bytes_that_were_good_are_read_three_times_more_before_they_count_as_bad(
    client: Client, blob: Blob
) -> None:
    damage(blob)
    verification.recheck(Blob.objects.filter(pk=blob.pk))
    for number in range(REREADS):
        verification.verify(blob.pk)
        blob.refresh_from_db()
        assert (blob.state, blob.doubts) == (Blob.State.HASHING, number + 1)
        answer = client.get(f"/{REPO}/resolve/main/{PATH}")
        assert answer["X-Refusal-Code"] == "file_unverified"
    verification.verify(blob.pk)
    blob.refresh_from_db()
    assert blob.state == Blob.State.QUARANTINED
    assert blob.runs.filter(result="mismatch").count() == 1 + REREADS == 4
    assert AuditEvent.objects.filter(action="blob.doubted").count() == REREADS


def test_a_passing_error_quarantines_nothing(blob: Blob) -> None:
    restore = damage(blob)
    verification.recheck(Blob.objects.filter(pk=blob.pk))
    verification.verify(blob.pk)
    restore()
    verification.verify(blob.pk)
    blob.refresh_from_db()
    assert (blob.state, blob.doubts) == (Blob.State.VERIFIED, 0)
    assert not Recall.objects.exists()


def test_a_lost_file_is_quarantined_but_not_recalled(blob: Blob) -> None:
    """Nobody can have downloaded bad bytes of it."""
    path = blob_storage().local_path(blob.sha256)
    assert path is not None
    path.unlink()
    verification.recheck(Blob.objects.filter(pk=blob.pk))
    for _ in range(1 + REREADS):
        verification.verify(blob.pk)
    blob.refresh_from_db()
    assert blob.state == Blob.State.QUARANTINED
    assert not Recall.objects.exists()
