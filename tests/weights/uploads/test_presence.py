"""An object is present only where its bytes were published, or for the person who sent them."""

import hashlib
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.users.models import User
from tests.support import factories
from weights.catalogue.models import Checkpoint
from weights.errors import (
    BlobTooLarge,
    QuotaExceeded,
    UploadMissing,
    UploadPending,
    UploadRefused,
)
from weights.integrity.scrub import store_survey
from weights.publishing.models import Revision
from weights.storage import blob_storage
from weights.storage.models import Blob
from weights.uploads import quotas, services, sweep
from weights.uploads.models import Upload
from weights.uploads.presence import present

pytestmark = pytest.mark.usefixtures("store")

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def send(checkpoint: Checkpoint, person: User, content: bytes = CONTENT) -> Upload:
    sha256 = hashlib.sha256(content).hexdigest()
    return services.finish(checkpoint, person, sha256, len(content), [content])


def test_a_finished_upload_is_present_for_its_person_and_checkpoint_alone(
    checkpoint: Checkpoint, release_owner: User, other_person: User
) -> None:
    send(checkpoint, release_owner)

    assert present(checkpoint, release_owner, [SHA256]) == {SHA256: len(CONTENT)}
    assert present(checkpoint, other_person, [SHA256]) == {}
    elsewhere = factories.published("acme/elsewhere").checkpoint
    assert present(elsewhere, release_owner, [SHA256]) == {}
    with blob_storage().open(SHA256) as stream:
        assert stream.read() == CONTENT


@pytest.mark.requirement("UP-1")
def test_the_hash_of_a_published_file_is_present_in_its_own_checkpoint_alone(
    checkpoint: Checkpoint, release_owner: User
) -> None:
    gated = factories.published("acme/gated", tier=checkpoint.tier)
    file = gated.files.get(path="model.safetensors")

    assert present(checkpoint, release_owner, [file.sha256]) == {}
    assert present(gated.checkpoint, release_owner, [file.sha256]) == {file.sha256: file.size}
    Blob.objects.filter(sha256=file.sha256).update(state=Blob.State.QUARANTINED)
    assert present(gated.checkpoint, release_owner, [file.sha256]) == {}


def test_an_upload_is_forgotten_after_a_day_and_starts_over(
    checkpoint: Checkpoint, release_owner: User
) -> None:
    upload = send(checkpoint, release_owner)
    Upload.objects.update(touched_at=timezone.now() - timedelta(hours=25))

    assert present(checkpoint, release_owner, [SHA256]) == {}
    again = services.start(checkpoint, release_owner, {SHA256: 5})[SHA256]
    assert (again.pk, again.state, again.size) == (upload.pk, Upload.State.RECEIVING, 5)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (CONTENT[:-1], "of the announced 7000 bytes arrived"),
        (CONTENT + b"x", "more than the announced 7000 bytes"),
        (CONTENT[:-1] + b"x", "have the SHA-256"),
    ],
)
def test_other_bytes_than_announced_are_refused_and_nothing_is_stored(
    checkpoint: Checkpoint, release_owner: User, store: Path, content: bytes, reason: str
) -> None:
    with pytest.raises(UploadRefused, match=reason):
        services.finish(checkpoint, release_owner, SHA256, len(CONTENT), [content])

    assert present(checkpoint, release_owner, [SHA256]) == {}
    assert [path for path in store.rglob("*") if path.is_file()] == []


def test_a_refused_size_of_a_sent_object_leaves_the_upload_as_it_is(
    checkpoint: Checkpoint, release_owner: User
) -> None:
    send(checkpoint, release_owner)

    with pytest.raises(UploadRefused, match="was sent with 7000 bytes, not 5"):
        services.finish(checkpoint, release_owner, SHA256, 5, [b"short"])
    assert present(checkpoint, release_owner, [SHA256]) == {SHA256: len(CONTENT)}


def test_good_bytes_replace_a_damaged_blob_which_is_checked_again(
    checkpoint: Checkpoint, release_owner: User
) -> None:
    blob = Blob.objects.create(
        sha256=SHA256, size=len(CONTENT), state=Blob.State.QUARANTINED, quarantine_cause="damaged"
    )
    send(checkpoint, release_owner)

    blob.refresh_from_db()
    assert (blob.state, blob.quarantine_cause) == (Blob.State.UPLOADED, "")


def test_a_commit_waits_for_hashes_and_says_which_object_is_missing(
    checkpoint: Checkpoint, release_owner: User
) -> None:
    def wait(sha256: str = SHA256) -> dict[str, int]:
        return services.wait_for(checkpoint, release_owner, [sha256], seconds=0)

    with pytest.raises(UploadMissing, match="was not uploaded to acme/draft"):
        wait()
    send(checkpoint, release_owner)
    assert wait() == {SHA256: len(CONTENT)}
    Upload.objects.update(state=Upload.State.RECEIVED)
    with pytest.raises(UploadPending, match="run the same command again"):
        wait()
    Upload.objects.update(state=Upload.State.REFUSED, reason="other bytes")
    with pytest.raises(UploadRefused, match="other bytes"):
        wait()


def test_an_object_that_is_complete_a_moment_after_the_first_look_is_waited_for(
    checkpoint: Checkpoint, release_owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(checkpoint, release_owner)
    looks = iter([{}, {SHA256: len(CONTENT)}])
    # The worker's commit falls between two statements, which no test can time.
    monkeypatch.setattr(services, "present", lambda *arguments: next(looks))

    assert services.wait_for(checkpoint, release_owner, [SHA256]) == {SHA256: len(CONTENT)}


def test_an_object_in_quarantine_is_not_present_even_for_the_person_who_sent_it(
    checkpoint: Checkpoint, release_owner: User
) -> None:
    send(checkpoint, release_owner)
    Blob.objects.create(sha256=SHA256, size=7000, state=Blob.State.QUARANTINED, held=True)

    assert present(checkpoint, release_owner, [SHA256]) == {}
    with pytest.raises(UploadRefused, match="in quarantine"):
        services.wait_for(checkpoint, release_owner, [SHA256], seconds=0)


def test_an_upload_of_other_bytes_ends_with_an_event_and_may_start_over(
    checkpoint: Checkpoint, release_owner: User
) -> None:
    with pytest.raises(UploadRefused):
        services.finish(checkpoint, release_owner, SHA256, 3, [b"abc"])

    event = AuditEvent.objects.get(action="upload.refused")
    assert event.details["sha256"] == SHA256
    assert event.actor_id == release_owner.public_id
    assert send(checkpoint, release_owner).state == Upload.State.COMPLETE


def test_uploads_and_drafts_of_a_person_have_a_quota(
    checkpoint: Checkpoint, release_owner: User, settings: Settings
) -> None:
    settings.UPLOAD_QUOTA = 7010
    send(checkpoint, release_owner)
    with pytest.raises(QuotaExceeded, match=r"11 bytes more would exceed your quota of 7\.0 kB"):
        services.start(checkpoint, release_owner, {"b" * 64: 11})
    services.start(checkpoint, release_owner, {"b" * 64: 10})

    draft = factories.published("acme/other", files={"a.bin": b"x" * 20}, tier=checkpoint.tier)
    Upload.objects.all().delete()
    Revision.objects.filter(pk=draft.pk).update(state="draft", author=release_owner)
    assert quotas.used(release_owner) == 20
    with pytest.raises(BlobTooLarge, match="smaller shards"):
        services.start(checkpoint, release_owner, {"c" * 64: 600 * 10**9})


@pytest.mark.requirement("UP-7")
def test_the_sweep_forgets_an_upload_and_deletes_an_object_that_nothing_names(
    checkpoint: Checkpoint, release_owner: User, store: Path
) -> None:
    send(checkpoint, release_owner)
    place = blob_storage().local_path(SHA256)
    assert place is not None
    assert sweep.sweep() == 0

    Upload.objects.update(touched_at=timezone.now() - timedelta(hours=25))
    assert sweep.sweep() == 0  # the file is young, so `publish` may have stored it
    day_ago = time.time() - 25 * 3600
    os.utime(place, (day_ago, day_ago))
    survey = store_survey.survey()
    assert survey is not None
    assert survey.orphaned == 0
    assert sweep.sweep() == 1
    assert not place.exists()
    assert Upload.objects.count() == 0


def test_the_sweep_keeps_an_object_that_a_revision_holds(
    checkpoint: Checkpoint, release_owner: User
) -> None:
    send(checkpoint, release_owner)
    place = blob_storage().local_path(SHA256)
    assert place is not None
    day_ago = time.time() - 25 * 3600
    os.utime(place, (day_ago, day_ago))
    Upload.objects.update(touched_at=timezone.now() - timedelta(hours=25))
    Blob.objects.create(sha256=SHA256, size=7000)

    assert sweep.sweep() == 1
    assert place.exists()
