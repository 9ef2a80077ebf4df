"""Blobs changed in the store are not served from the next request on, and are read again."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from accounts.audit.models import AuditEvent
from tests.support import factories
from weights.catalogue.models import FileFacts
from weights.integrity import suspension, verification
from weights.integrity.scrub import store_survey
from weights.integrity.verification.outcomes import REREADS
from weights.publishing import intake
from weights.recalls.models import Recall
from weights.storage import blob_storage
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("open_tier", "store")]

BODY = b"weights " * 1000
ADDRESS = "/acme/model/resolve/main/model.pt"


@pytest.fixture
def blob(tmp_path: Path) -> Blob:
    """Published and verified in the normal way, so that its fingerprint is stored."""
    root = tmp_path / "model"
    root.mkdir()
    (root / "model.pt").write_bytes(BODY)
    revision = intake.publish(root, "acme/model", tier="open")
    found = revision.files.get().blob
    check(found)
    return found


def check(blob: Blob, times: int = 1) -> None:
    for _ in range(times):
        verification.verify(blob.pk)
    blob.refresh_from_db()


def on_disk(blob: Blob) -> Path:
    path = blob_storage().local_path(blob.sha256)
    assert path is not None
    return path


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4000] ^= 1
    path.write_bytes(content)


def touch(path: Path) -> None:
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def cut(path: Path) -> None:
    path.write_bytes(BODY[:-1])


def test_a_good_check_stores_the_fingerprint_of_what_it_read(blob: Blob) -> None:
    found = on_disk(blob).stat()
    assert blob.mark == f"{found.st_mtime_ns}:{found.st_ino}:{found.st_size} {found.st_ctime_ns}"
    assert blob.version_in == blob_storage().address
    stored = blob_storage().stat(blob.sha256)
    assert stored is not None
    assert blob.change(stored, blob_storage().address) == ""


def replace(path: Path) -> None:
    """By another file of the same size and time, renamed over it."""
    bad = path.with_suffix(".bad")
    shutil.copy2(path, bad)
    before = bad.stat()
    flip(bad)
    os.utime(bad, ns=(before.st_atime_ns, before.st_mtime_ns))
    bad.replace(path)


@pytest.mark.parametrize("damage", [flip, touch, cut, replace])
@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("accel", ["", "/blobs/"])
@pytest.mark.requirement("ST-7")
def test_the_next_request_after_a_write_is_refused_and_queues_a_check(
    client: Client,
    blob: Blob,
    settings: object,
    damage: Callable[[Path], None],
    method: str,
    accel: str,
) -> None:
    settings.ACCEL_LOCATION = accel  # type: ignore[attr-defined]
    damage(on_disk(blob))
    first = getattr(client, method)(ADDRESS)
    assert (first.status_code, first["Retry-After"]) == (503, "10")
    blob.refresh_from_db()
    assert blob.state == Blob.State.HASHING
    assert blob.check_due_at is not None
    second = getattr(client, method)(ADDRESS)
    assert second["X-Refusal-Code"] == "file_unverified"
    assert AuditEvent.objects.about(blob).filter(action="blob.suspected").count() == 1


def test_a_touched_file_is_given_again_once_it_was_read(client: Client, blob: Blob) -> None:
    touch(on_disk(blob))
    assert client.get(ADDRESS).status_code == 503
    check(blob)
    assert blob.state == Blob.State.VERIFIED
    assert client.get(ADDRESS).status_code == 200
    assert not Recall.objects.exists()


def test_a_flipped_bit_that_a_request_met_ends_in_quarantine_and_recall(
    client: Client, blob: Blob
) -> None:
    flip(on_disk(blob))
    client.get(ADDRESS)
    check(blob, 1 + REREADS)
    assert blob.state == Blob.State.QUARANTINED
    assert client.get(ADDRESS)["X-Refusal-Code"] == "file_quarantined"
    assert Recall.objects.get().blob == blob


def test_a_lost_file_is_looked_for_without_being_closed_first(client: Client, blob: Blob) -> None:
    """A disk that is missing for a moment must not cause checks of all requested blobs."""
    path = on_disk(blob)
    aside = path.rename(path.with_suffix(".aside"))
    assert client.get(ADDRESS).status_code == 503
    blob.refresh_from_db()
    assert blob.state == Blob.State.VERIFIED
    assert blob.check_due_at is not None
    aside.rename(path)
    assert client.get(ADDRESS).status_code == 200


def test_a_file_whose_ctime_alone_changed_is_served_and_read_again_soon(
    client: Client, blob: Blob, tmp_path: Path
) -> None:
    verified = blob.mark
    (tmp_path / "backup").hardlink_to(on_disk(blob))
    for method in (client.get, client.head):
        assert method(ADDRESS).status_code == 200
    blob.refresh_from_db()
    assert blob.mark == verified
    assert list(Blob.objects.awaiting_result()) == [blob]
    check(blob)
    assert blob.mark != verified
    assert client.get(ADDRESS).status_code == 200
    assert not Blob.objects.awaiting_result().exists()
    assert not AuditEvent.objects.filter(action="blob.suspected").exists()


def test_a_write_whose_time_was_set_back_is_found_soon(client: Client, blob: Blob) -> None:
    path = on_disk(blob)
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert client.get(ADDRESS).status_code == 200
    check(blob, 1 + REREADS)
    assert blob.state == Blob.State.QUARANTINED
    assert client.get(ADDRESS)["X-Refusal-Code"] == "file_quarantined"
    assert Recall.objects.get().blob == blob


def test_a_survey_has_a_touched_file_read_again_and_goes_on_serving_it(
    client: Client, blob: Blob
) -> None:
    on_disk(blob).chmod(0o400)
    done = store_survey.survey()
    assert done is not None
    assert done.changed == 0
    blob.refresh_from_db()
    assert blob.state == Blob.State.VERIFIED
    assert blob.check_due_at is not None
    assert client.get(ADDRESS).status_code == 200


def test_the_mark_of_an_earlier_release_holds_until_the_next_reading(
    client: Client, blob: Blob
) -> None:
    """It was the modification time alone; an upgrade reads nothing for it, and closes nothing."""
    new = blob.mark
    Blob.objects.update(mark=str(on_disk(blob).stat().st_mtime_ns))
    store_survey.survey()
    assert client.get(ADDRESS).status_code == 200
    blob.refresh_from_db()
    assert (blob.state, blob.check_due_at) == (Blob.State.VERIFIED, None)
    Blob.objects.update(check_due_at=timezone.now())
    check(blob)
    assert blob.mark == new
    Blob.objects.update(mark=str(on_disk(blob).stat().st_mtime_ns))
    touch(on_disk(blob))
    assert client.get(ADDRESS).status_code == 503


TEXTS = {
    "README.md": b"---\ntags: [sound]\n---\n# A card that was verified\n",
    "config.json": b'{"model_type": "sound"}\n',
}


def write_evil(path: Path) -> None:
    """As long as it was, and other words."""
    path.write_bytes(
        path.read_bytes().replace(b"sound", b"evil!").replace(b"verified", b"slipped!")
    )
    touch(path)


@pytest.mark.parametrize("page", ["", "/blob/main/README.md", "/blob/main/config.json"])
@pytest.mark.requirement("ST-7")
def test_no_page_shows_what_was_written_over_a_verified_text(
    client: Client, tmp_path: Path, page: str
) -> None:
    """Nor is it stored as facts of the file, which listings show."""
    for name, text in TEXTS.items():
        (tmp_path / name).write_bytes(text.replace(b"A card", factories.word().encode()))
    revision = intake.publish(tmp_path, "acme/texts", tier="open")
    shown = list(Blob.objects.filter(files__revision=revision))
    for blob in shown:
        check(blob)
    FileFacts.objects.all().delete()
    for blob in shown:
        write_evil(on_disk(blob))
    answer = client.get(f"/acme/texts{page}").text + client.get("/api/models/acme/texts").text
    assert "evil!" not in answer
    assert "slipped!" not in answer
    assert not FileFacts.objects.exists()
    assert {blob.state for blob in Blob.objects.all()} == {Blob.State.HASHING}
    events = AuditEvent.objects.filter(action="blob.suspected")
    assert events.count() == len(shown)


def test_only_verified_bytes_are_closed_and_only_once(blob: Blob) -> None:
    assert suspension.suspend_blob(blob, "a test says so")
    assert not suspension.suspend_blob(blob, "a test says so")
    Blob.objects.update(state=Blob.State.QUARANTINED)
    assert not suspension.suspend_blob(blob, "a test says so")
    assert not suspension.request_check(blob)
    assert AuditEvent.objects.filter(action="blob.suspected").count() == 1


def test_publishing_the_same_file_again_puts_good_bytes_over_changed_ones(
    client: Client, blob: Blob, tmp_path: Path
) -> None:
    flip(on_disk(blob))
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "model.pt").write_bytes(BODY)
    intake.publish(copy, "acme/model", tier="open")
    check(blob)
    assert on_disk(blob).read_bytes() == BODY
    assert client.get(ADDRESS).status_code == 200


def test_fingerprints_of_another_store_are_ignored(blob: Blob) -> None:
    found = blob_storage().stat(blob.sha256)
    assert found is not None
    blob.mark = "another"
    assert blob.change(found, "s3://elsewhere/blobs") == ""
    assert blob.change(found, blob_storage().address).startswith("it was changed in the store")


def test_a_blob_without_a_mark_is_judged_by_its_size_alone(client: Client) -> None:
    factories.published("acme/old", files={"a.bin": b"abc"})
    assert client.get("/acme/old/resolve/main/a.bin").status_code == 200
