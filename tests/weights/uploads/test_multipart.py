"""Parts in any order, hashed by a worker, in a folder and in a bucket."""

from pathlib import Path
from urllib.request import Request

import pytest

from accounts.audit.models import AuditEvent
from accounts.users.models import User
from tests.support.servers.front import ask
from tests.weights.uploads.conftest import Content
from weights.catalogue.models import Checkpoint
from weights.errors import StorageUnavailable, UploadRefused
from weights.storage import blob_storage, part_store
from weights.storage.folder_store import FileUpload
from weights.storage.protocol import Part
from weights.tasks import hash_upload
from weights.uploads import multipart, services
from weights.uploads.models import Upload
from weights.uploads.presence import present

pytestmark = pytest.mark.usefixtures("small_parts")

State = Upload.State
Etags = list[tuple[int, str]]


def started(checkpoint: Checkpoint, person: User, content: Content) -> Upload:
    upload = services.start(checkpoint, person, {content.sha256: content.size})[content.sha256]
    multipart.stage(upload)
    return upload


def sent(upload: Upload, content: Content) -> Etags:
    """Send all parts to a local store, the last one first."""
    parts = reversed(list(content.parts(upload.part_size)))
    return [(number, multipart.receive_part(upload, number, [data])) for number, data in parts]


def sent_to_bucket(upload: Upload, content: Content) -> Etags:
    """Send all parts to their presigned URLs, as a client does: without any other header."""
    urls = part_store().urls(upload.staging, upload.part_count, 60)
    assert urls is not None
    etags = []
    for number, data in content.parts(upload.part_size):
        status, headers, _ = ask(Request(urls[number - 1], data=data, method="PUT"))
        assert status == 200
        etags.append((number, headers["ETag"].strip('"')))
    return etags


def files(store: Path) -> list[str]:
    return [path.name for path in store.rglob("*") if path.is_file()]


@pytest.mark.requirement("UP-2", "UP-4")
def test_parts_in_any_order_become_an_object_once_a_worker_has_hashed_them(
    checkpoint: Checkpoint, release_owner: User, store: Path, large: Content
) -> None:
    upload = started(checkpoint, release_owner, large)
    assert (upload.part_count, upload.part_size) == (3, 5 * 1024 * 1024)
    etags = sent(upload, large)

    multipart.complete_parts(upload, etags)
    assert present(checkpoint, release_owner, [large.sha256]) == {}
    assert blob_storage().stat(large.sha256) is None
    hash_upload(upload.pk)

    assert present(checkpoint, release_owner, [large.sha256]) == {large.sha256: large.size}
    with blob_storage().open(large.sha256) as stream:
        assert stream.read() == large.data
    assert files(store) == [large.sha256]
    upload.refresh_from_db()
    multipart.complete_parts(upload, etags)  # a client that lost the answer asks again
    assert upload.state == State.COMPLETE


def test_a_part_may_be_sent_again_and_only_the_last_one_counts(
    checkpoint: Checkpoint, release_owner: User, store: Path, large: Content
) -> None:
    upload = started(checkpoint, release_owner, large)
    first = multipart.receive_part(upload, 1, [bytes(upload.part_size)])
    etags = sent(upload, large)

    with pytest.raises(UploadRefused, match="part 1 did not arrive"):
        multipart.complete_parts(upload, [(1, first), *etags[:-1]])
    multipart.complete_parts(upload, etags)
    hash_upload(upload.pk)
    assert present(checkpoint, release_owner, [large.sha256])


@pytest.mark.usefixtures("store")
def test_a_part_of_another_length_or_number_is_refused_and_not_kept(
    checkpoint: Checkpoint, release_owner: User, store: Path, large: Content
) -> None:
    upload = started(checkpoint, release_owner, large)

    for number, length in ((1, upload.part_size - 1), (1, upload.part_size + 1), (3, 2_000_000)):
        with pytest.raises(UploadRefused, match=f"{length} bytes instead of"):
            multipart.receive_part(upload, number, [bytes(length)])
    for number in (0, 4, -1):
        with pytest.raises(UploadRefused, match="has only 3 parts, so no part"):
            multipart.receive_part(upload, number, [b""])
    assert files(store) == []


@pytest.mark.parametrize("numbers", [[1, 2], [1, 2, 2, 3], [1, 2, 3, 4], [0, 1, 2], []])
def test_the_completion_names_each_part_exactly_once(
    checkpoint: Checkpoint, release_owner: User, store: Path, large: Content, numbers: list[int]
) -> None:
    upload = started(checkpoint, release_owner, large)
    etags = dict(sent(upload, large))

    with pytest.raises(UploadRefused, match="send parts 1 to 3 once each"):
        multipart.complete_parts(upload, [(number, etags.get(number, "x")) for number in numbers])


def test_parts_with_another_hash_are_refused_with_an_event_and_deleted(
    checkpoint: Checkpoint, release_owner: User, store: Path, large: Content
) -> None:
    other = Content(large.data[:-1] + b"x")
    upload = started(checkpoint, release_owner, large)
    multipart.complete_parts(upload, sent(upload, other))
    hash_upload(upload.pk)

    upload.refresh_from_db()
    assert upload.state == State.REFUSED
    assert f"have the SHA-256 {other.sha256}" in upload.reason
    assert AuditEvent.objects.filter(action="upload.refused").count() == 1
    assert files(store) == []
    again = started(checkpoint, release_owner, large)
    multipart.complete_parts(again, sent(again, large))
    hash_upload(upload.pk)
    assert present(checkpoint, release_owner, [large.sha256])


@pytest.mark.requirement("UP-4")
def test_a_store_that_fails_is_tried_again_and_at_last_ends_the_upload(
    checkpoint: Checkpoint,
    release_owner: User,
    store: Path,
    large: Content,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload = started(checkpoint, release_owner, large)
    multipart.complete_parts(upload, sent(upload, large))

    def broken(self: FileUpload, sha256: str) -> None:
        raise StorageUnavailable("the disk is gone")

    with monkeypatch.context() as patch:
        # A disk that fails at this moment cannot be arranged.
        patch.setattr(FileUpload, "commit", broken)
        for _ in range(6):
            with pytest.raises(StorageUnavailable):
                multipart.hash_object(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.attempts) == (State.RECEIVED, 6)
    multipart.hash_object(upload.pk)
    upload.refresh_from_db()
    assert upload.state == State.REFUSED
    assert "ask the operator to look at the log" in upload.reason
    assert files(store) == []


def test_a_second_batch_goes_on_with_the_same_parts(
    checkpoint: Checkpoint, release_owner: User, store: Path, large: Content
) -> None:
    upload = started(checkpoint, release_owner, large)
    etags = sent(upload, large)
    again = started(checkpoint, release_owner, large)

    assert again.staging == upload.staging
    multipart.complete_parts(again, etags)
    hash_upload(again.pk)
    assert present(checkpoint, release_owner, [large.sha256])


@pytest.mark.requirement("UP-2", "UP-4")
def test_parts_go_straight_to_the_bucket_and_are_hashed_before_they_are_a_blob(
    checkpoint: Checkpoint, release_owner: User, s3_store: str, large: Content
) -> None:
    upload = started(checkpoint, release_owner, large)
    etags = sent_to_bucket(upload, large)
    assert blob_storage().stat(large.sha256) is None

    multipart.complete_parts(upload, etags)
    part_store().close(  # as after a lost answer
        upload.staging, [Part(1, "x", large.size)]
    )
    assert blob_storage().stat(large.sha256) is None
    hash_upload(upload.pk)

    assert present(checkpoint, release_owner, [large.sha256]) == {large.sha256: large.size}
    with blob_storage().open(large.sha256) as stream:
        assert stream.read() == large.data
    assert len(list(blob_storage().list_objects())) == 1


def test_other_parts_than_named_and_other_bytes_than_hashed_are_refused_in_a_bucket(
    checkpoint: Checkpoint, release_owner: User, s3_store: str, large: Content
) -> None:
    upload = started(checkpoint, release_owner, large)
    etags = sent_to_bucket(upload, Content(large.data[:-1] + b"x"))

    with pytest.raises(UploadRefused, match="part 3 did not arrive"):
        multipart.complete_parts(upload, [*etags[:2], (3, "0" * 32)])
    multipart.complete_parts(upload, etags)
    hash_upload(upload.pk)

    upload.refresh_from_db()
    assert upload.state == State.REFUSED
    assert blob_storage().stat(large.sha256) is None
    assert list(blob_storage().list_objects()) == []


def test_parts_that_the_bucket_has_dropped_are_sent_again(
    checkpoint: Checkpoint, release_owner: User, s3_store: str, large: Content
) -> None:
    upload = started(checkpoint, release_owner, large)
    etags = sent_to_bucket(upload, large)
    part_store().discard(upload.staging)

    with pytest.raises(UploadRefused, match="no longer has these parts; send the file again"):
        multipart.complete_parts(upload, etags)


def test_two_batches_at_once_share_the_place_of_the_parts(
    checkpoint: Checkpoint, release_owner: User, store: Path, large: Content
) -> None:
    sizes = {large.sha256: large.size}
    first = services.start(checkpoint, release_owner, sizes)[large.sha256]
    second = services.start(checkpoint, release_owner, sizes)[large.sha256]
    multipart.stage(first)
    multipart.stage(second)

    assert first.staging == second.staging
    assert second.part_count == 3
