"""A versioned bucket serves the verified version, and checks read that version."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from portal import checks
from portal.health import findings
from tests.support.servers import s3
from weights.integrity import scrub, verification
from weights.integrity.models import StoreFinding, StoreSurvey
from weights.publishing import intake
from weights.storage import blob_storage
from weights.storage.models import Blob
from weights.storage.s3 import S3Storage

pytestmark = [pytest.mark.usefixtures("open_tier", "s3_store"), pytest.mark.one_database]

GOOD, BAD = b'{"good": 1}\n', b'{"evil": 1}\n'
ADDRESS = "/acme/model/resolve/main/config.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    root.mkdir()
    (root / "config.json").write_bytes(GOOD)
    return root


def publish(folder: Path) -> Blob:
    intake.publish(folder, "acme/model", tier="open")
    blob = Blob.objects.get()
    if blob.state != Blob.State.VERIFIED:
        verification.verify(blob.pk)
        blob.refresh_from_db()
    return blob


@pytest.fixture
def blob(folder: Path, s3_server: s3.Store, settings: Settings) -> Blob:
    """A blob published into a versioned bucket and bound to its version."""
    settings.WEIGHTS_STORAGE = s3_server.versioned()
    found = publish(folder)
    assert found.version
    return found


def bucket() -> S3Storage:
    storage = blob_storage()
    assert isinstance(storage, S3Storage)
    return storage


def write_over(blob: Blob) -> str:
    """Overwrites an object with the bucket's credential; returns the new version."""
    client, place = bucket().client, bucket().location(blob.sha256)
    return str(client.put_object(**place, Body=BAD).get("VersionId", ""))


def survey() -> StoreSurvey:
    found = scrub.survey()
    assert found is not None
    return found


def told(found: StoreSurvey) -> tuple[int, int, int]:
    return found.changed, found.missing, found.overlaid


def test_overwritten_objects_do_not_quarantine_the_served_version(
    blob: Blob, client: Client
) -> None:
    newer = write_over(blob)
    assert told(survey()) == (0, 0, 1)
    finding = StoreFinding.objects.get()
    assert (finding.kind, finding.size) == ("overlaid", len(BAD))
    assert next(
        line for line in findings.lines() if line.name == "Missing in the store"
    ).text.endswith("1 overwritten, downloads still get the verified version")
    verification.recheck(Blob.objects.all())
    verification.verify(blob.pk)
    blob.refresh_from_db()
    assert (blob.state, blob.doubts) == (Blob.State.VERIFIED, 0)
    assert f"versionId={blob.version}" in client.get(ADDRESS)["Location"]
    bucket().client.delete_object(**bucket().location(blob.sha256), VersionId=newer)
    assert told(survey()) == (0, 0, 0)
    assert not StoreFinding.objects.exists()


def test_a_deletion_in_a_versioned_bucket_leaves_the_served_version(blob: Blob) -> None:
    bucket().delete(blob.sha256)
    assert told(survey()) == (0, 0, 1)
    blob.refresh_from_db()
    assert (blob.state, blob.check_due_at) == (Blob.State.VERIFIED, None)


def test_if_a_version_is_gone_the_newest_one_is_read_before_a_result_counts(
    blob: Blob, client: Client
) -> None:
    newest = write_over(blob)
    bucket().client.delete_object(**bucket().location(blob.sha256), VersionId=blob.version)
    assert told(survey()) == (1, 0, 0)
    blob.refresh_from_db()
    assert blob.state == Blob.State.HASHING, "closed, and not condemned unread"
    assert client.get(ADDRESS)["X-Refusal-Code"] == "file_unverified"
    scrub.read_to_the_end(blob)
    assert blob.state == Blob.State.QUARANTINED
    assert blob.quarantine_reason.endswith("because the verified one is gone")
    bucket().client.put_object(**bucket().location(blob.sha256), Body=GOOD)
    verification.recheck(Blob.objects.all())
    verification.verify(blob.pk)
    blob.refresh_from_db()
    assert blob.state == Blob.State.VERIFIED
    assert blob.version not in {"", newest}


def test_publishing_again_writes_a_good_version(blob: Blob, folder: Path) -> None:
    bad, before = write_over(blob), blob.version
    again = publish(folder)
    assert again.state == Blob.State.VERIFIED
    assert again.version not in {"", bad, before}
    assert told(survey()) == (0, 0, 0)


def test_a_manual_scrub_names_overwritten_objects(blob: Blob) -> None:
    write_over(blob)
    out, err = StringIO(), StringIO()
    with pytest.raises(CommandError, match="overlaid"):
        call_command("scrub", stdout=out, stderr=err)
    assert "overlaid 1" in out.getvalue()
    assert "acme/model/config.json" in err.getvalue() or "overlaid: " in err.getvalue()


def test_verify_manifests_reads_the_served_version(blob: Blob) -> None:
    write_over(blob)
    out = StringIO()
    call_command("verify_manifests", stdout=out)
    assert "differences: 0" in out.getvalue()


# -- without versions -----------------------------------------------------------------------


def test_a_different_checksum_in_the_store_has_the_blob_read_at_once(
    folder: Path, client: Client
) -> None:
    blob = publish(folder)
    write_over(blob)
    stands = bucket().stat(blob.sha256)
    assert stands is not None
    Blob.objects.update(mark=stands.mark)  # so that only the checksum differs
    place = bucket().location(blob.sha256)
    bucket().client.put_object(**place, Body=BAD, ChecksumAlgorithm="SHA256")
    assert told(survey()) == (1, 0, 0)
    blob.refresh_from_db()
    assert (blob.state, blob.quarantine_reason) == (Blob.State.HASHING, "")
    assert client.get(ADDRESS)["X-Refusal-Code"] == "file_unverified"
    scrub.read_to_the_end(blob)
    assert blob.state == Blob.State.QUARANTINED


def test_a_composite_checksum_is_ignored(folder: Path) -> None:
    blob = publish(folder)
    client, place = bucket().client, bucket().location(blob.sha256)
    upload = client.create_multipart_upload(**place, ChecksumAlgorithm="SHA256")["UploadId"]
    sent = client.upload_part(
        **place, UploadId=upload, PartNumber=1, Body=GOOD, ChecksumAlgorithm="SHA256"
    )
    part = {"PartNumber": 1, "ETag": sent["ETag"], "ChecksumSHA256": sent["ChecksumSHA256"]}
    client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": [part]})  # type: ignore[list-item]
    stands = bucket().stat(blob.sha256)
    assert stands is not None
    assert stands.sha256 == ""


def test_a_bucket_without_versions_is_reported_to_the_operator(
    s3_server: s3.Store, settings: Settings
) -> None:
    def line() -> findings.Line:
        return next(one for one in findings.lines() if one.name == "Versions in the store")

    assert [one.id for one in checks.bucket_keeps_versions()] == ["portal.W001"]
    assert (line().state, line().text[:8]) == ("late", "not kept")
    settings.WEIGHTS_STORAGE = s3_server.versioned()
    assert checks.bucket_keeps_versions() == []
    assert (line().state, line().text) == ("ok", "kept")
    settings.S3_ENDPOINT_URL = "http://127.0.0.1:9"
    assert [one.id for one in checks.bucket_keeps_versions()] == ["portal.W002"]
    assert line().state == "late"
