"""Bytes that nothing refers to are deleted a day later, and count for the quota until then."""

import hashlib
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.users.models import User
from tests.weights.publishing.drafts.making import CARD, committed, verify_all
from tests.weights.uploads.conftest import Content
from weights.catalogue.models import Checkpoint
from weights.errors import UploadRefused
from weights.publishing.drafts import checkpoints
from weights.publishing.drafts.discarding import discard
from weights.storage import blob_storage
from weights.storage.models import Blob, IntakeNote
from weights.uploads import multipart, quotas, services, sweep
from weights.uploads.models import Upload

SHA256 = hashlib.sha256(CARD.content).hexdigest()


@pytest.fixture
def draft(store: Path, checkpoint: Checkpoint) -> Checkpoint:
    return checkpoint


def a_day_passes() -> None:
    """Everything so far was stored and touched more than a day ago."""
    past = timezone.now() - timedelta(hours=25)
    Blob.objects.update(created_at=past)
    Upload.objects.update(touched_at=past)
    for one in blob_storage().list_objects():
        place = blob_storage().local_path(one.key.rpartition("/")[2])
        assert place is not None
        os.utime(place, (time.time() - 25 * 3600,) * 2)


def sweep_all() -> int:
    return sweep.sweep() + sweep.sweep_blobs()


@pytest.mark.django_db(transaction=True)
def test_bytes_of_a_discarded_draft_are_deleted_after_a_day(
    draft: Checkpoint, release_owner: User
) -> None:
    revision = committed(draft, release_owner, CARD)
    verify_all()
    discard(revision, by=release_owner)
    assert sweep_all() == 0
    a_day_passes()
    assert sweep_all() == 2
    assert not Blob.objects.exists()
    assert blob_storage().stat(SHA256) is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("keeper", ["a draft", "an upload", "a run of publish", "a hold"])
def test_bytes_that_something_names_stay(
    draft: Checkpoint, release_owner: User, other_person: User, keeper: str
) -> None:
    revision = committed(draft, release_owner, CARD)
    if keeper != "a draft":
        discard(revision, by=release_owner)
    a_day_passes()
    if keeper == "an upload":
        services.start(draft, other_person, {SHA256: len(CARD.content)})
    elif keeper == "a run of publish":
        facts = {"device": "1", "inode": "2", "size": 1, "mtime_ns": 1, "ctime_ns": 1}
        IntakeNote.objects.create(**facts, sha256=SHA256, git_oid="", is_text=True)
    elif keeper == "a hold":
        Blob.objects.update(held=True)
    sweep_all()
    assert Blob.objects.filter(sha256=SHA256).exists()
    assert blob_storage().stat(SHA256) is not None


def test_deleting_a_checkpoint_frees_no_quota_before_its_bytes_are_gone(
    store: Path, gated_tier: object, release_owner: User, content: Content
) -> None:
    draft, _ = checkpoints.create_draft("lab", "opt", by=release_owner)
    services.finish(draft, release_owner, content.sha256, content.size, [content.data])
    checkpoints.delete(draft, by=release_owner)
    assert quotas.used(release_owner) == content.size
    a_day_passes()
    sweep_all()
    assert quotas.used(release_owner) == 0
    assert blob_storage().stat(content.sha256) is None


def test_an_object_without_parts_cannot_be_completed(
    draft: Checkpoint, release_owner: User, content: Content
) -> None:
    upload = services.start(draft, release_owner, {content.sha256: content.size})[content.sha256]
    with pytest.raises(UploadRefused):
        multipart.complete_parts(upload, [])
    upload.refresh_from_db()
    assert upload.state == Upload.State.RECEIVING
