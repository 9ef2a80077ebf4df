"""Publishing and verification on a real S3 store."""

import hashlib
from pathlib import Path
from urllib.request import urlopen

import pytest
from django.test import Client
from pytest_django import Settings

from tests.support.servers import s3
from weights.integrity import verification
from weights.publishing import intake
from weights.publishing.models import Revision
from weights.storage import blob_storage
from weights.storage.models import Blob
from weights.storage.s3 import S3Storage, upload

pytestmark = [pytest.mark.usefixtures("open_tier", "s3_store"), pytest.mark.one_database]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small file and one that is uploaded in parts, which are small, to be quick."""
    monkeypatch.setattr(upload, "PART_SIZE", s3.SMALLEST_PART)
    root = tmp_path / "model"
    root.mkdir()
    (root / "config.json").write_bytes(b"{}\n")
    with (root / "model.bin").open("wb") as stream:
        stream.truncate(s3.SMALLEST_PART + 1)
    return root


def publish_and_verify(folder: Path) -> Revision:
    revision = intake.publish(folder, "acme/model", tier="open")
    for blob in Blob.objects.all():
        verification.verify(blob.pk)
    revision.refresh_from_db()
    return revision


def test_a_folder_becomes_visible_from_s3(folder: Path) -> None:
    revision = publish_and_verify(folder)
    assert revision.state == Revision.State.VISIBLE
    for file in revision.files.select_related("blob"):
        content = (folder / file.path).read_bytes()
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        with blob_storage().open(file.sha256) as stream:
            assert stream.read() == content


def test_a_redirect_to_the_bucket_names_the_verified_version(
    folder: Path, s3_server: s3.Store, settings: Settings, client: Client
) -> None:
    settings.WEIGHTS_STORAGE = s3_server.versioned()
    revision = publish_and_verify(folder)
    store = blob_storage()
    assert isinstance(store, S3Storage)
    file = revision.files.select_related("blob").get(path="config.json")
    assert file.blob.version
    s3_server.client().put_object(**store.location(file.sha256), Body=b"[]\n")
    revision.checkpoint.tier.file_link_minutes = 5
    revision.checkpoint.tier.save()
    address = client.get("/acme/model/resolve/main/config.json")["Location"]
    assert "&X-Amz-Expires=300&" in address, "the tier has the last word"
    with urlopen(address) as answer:
        assert answer.read() == b"{}\n"


def test_a_version_of_another_store_is_not_used(folder: Path, s3_server: s3.Store) -> None:
    blob = Blob(sha256="0" * 64, size=1, version="v1", version_in="s3://before/blobs")
    assert blob.version_of("s3://before/blobs") == "v1"
    assert blob.version_of("s3://after/blobs") == ""


def test_damage_in_the_bucket_is_found_and_repaired_by_publishing_again(
    folder: Path, s3_server: s3.Store
) -> None:
    revision = intake.publish(folder, "acme/model", tier="open")
    store = blob_storage()
    assert isinstance(store, S3Storage)
    sha256 = revision.files.get(path="config.json").sha256
    s3_server.client().put_object(**store.location(sha256), Body=b"[]\n")
    for blob in Blob.objects.all():
        verification.verify(blob.pk)
    revision.refresh_from_db()
    assert revision.state == Revision.State.FAILED
    assert publish_and_verify(folder) == revision
    revision.refresh_from_db()
    assert revision.state == Revision.State.VISIBLE
