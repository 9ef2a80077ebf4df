"""The Hub's client with hf_xet: files arrive as chunks and are stored unchanged."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from accounts.users.models import User
from tests.support import factories, xet
from tests.support.servers.live import Portal
from tests.weights.hub_api.publishing.conftest import Publisher
from weights.catalogue.models import Checkpoint
from weights.publishing.models import File, Revision
from weights.storage import blob_storage
from weights.uploads.xet.models import Recipe, StagedXorb

pytestmark = pytest.mark.one_database

WriteFiles = Callable[[Mapping[str, bytes]], Path]
with_xet = pytest.mark.parametrize("publisher", ["xet"], indirect=True)
#: More than is rebuilt in a request, so a worker does it.
LARGE = bytes(range(256)) * 4096 * 72


def newest() -> Revision:
    checkpoint = Checkpoint.objects.get(org="lab", name="model")
    return checkpoint.revisions.order_by("-pk")[0]


def stored(file: File) -> bytes:
    with blob_storage().open(file.sha256) as stream:
        return stream.read()


def upload(publisher: Publisher, folder: Path, into: str = ".") -> None:
    done = publisher.hf("upload", "lab/model", str(folder), into)
    assert done.returncode == 0, done.stdout + done.stderr


@with_xet
def test_hf_upload_with_xet_makes_a_draft_of_the_same_bytes(
    publisher: Publisher, write_files: WriteFiles
) -> None:
    files = {**xet.recorded_files(), "large.bin": LARGE, "README.md": b"# Model\n"}
    upload(publisher, write_files(files))

    listed = newest().files.select_related("blob")
    assert {file.path: stored(file) for file in listed if file.path in files} == files
    assert not Recipe.objects.exists()
    assert set(StagedXorb.objects.values_list("rebuilt", flat=True)) == {True}


@with_xet
def test_a_changed_folder_is_sent_again_only_where_it_changed(
    publisher: Publisher, write_files: WriteFiles
) -> None:
    files = xet.recorded_files()
    upload(publisher, write_files(files))
    before = sum(StagedXorb.objects.values_list("size", flat=True))
    files["a.bin"] += b"a new end" * 1000
    upload(publisher, write_files(files))

    changed = newest().files.get(path="a.bin")
    assert changed.sha256 == hashlib.sha256(files["a.bin"]).hexdigest()
    assert stored(changed) == files["a.bin"]
    sent = sum(StagedXorb.objects.values_list("size", flat=True)) - before
    assert sent < before / 2


def logs_of(home: Path) -> str:
    return "".join(log.read_text() for log in (home / "xet/logs").iterdir())


@with_xet
def test_a_client_that_forgot_all_sends_no_xorb_again_that_has_arrived(
    publisher: Publisher, write_files: WriteFiles, tmp_path: Path
) -> None:
    """As after a kill before the shard: it asks for a grant of each xorb, and has it answered."""
    content = xet.recorded_files()["a.bin"]
    folder = write_files({"a.bin": content})  # several files are packed in any order
    upload(publisher, folder)
    before = list(StagedXorb.objects.values_list("digest", "staging"))
    forgetful = tmp_path / "forgetful"
    first = Path(publisher.environment["HF_HOME"])
    publisher.environment["HF_HOME"] = str(forgetful)
    upload(publisher, folder, "again")

    assert list(StagedXorb.objects.values_list("digest", "staging")) == before
    assert 'cas::upload_xorb\\"' in logs_of(first)
    assert 'cas::upload_xorb\\"' not in logs_of(forgetful)
    assert stored(newest().files.get(path="again/a.bin")) == content


@with_xet
def test_a_client_sends_forgotten_xorbs_again_under_a_new_address(
    publisher: Publisher, write_files: WriteFiles, owner: User
) -> None:
    files = xet.recorded_files()
    upload(publisher, write_files(files))
    StagedXorb.objects.all().delete()
    files["d.bin"] = files["a.bin"][:-1]
    # Another token has another address, as the same token has an hour later.
    publisher.environment["HF_TOKEN"] = factories.token(owner, "write")
    upload(publisher, write_files(files))

    assert stored(newest().files.get(path="d.bin")) == files["d.bin"]


@pytest.mark.requirement("UP-6")
def test_more_than_the_quota_is_refused_with_the_reason(
    store: Path,
    owner: User,
    start_portal: Callable[..., Portal],
    tmp_path: Path,
) -> None:
    portal = start_portal(settings_={"UPLOAD_QUOTA_GB": "1"})
    folder = tmp_path / "large"
    folder.mkdir()
    with (folder / "large.bin").open("wb") as stream:
        stream.truncate(1_350_000_000)
    for disable_xet in ("0", "1"):
        publisher = Publisher(portal.url, factories.token(owner, "write"), tmp_path, disable_xet)
        for source in (folder, folder / "large.bin"):
            done = publisher.hf("upload", "lab/model", str(source))
            assert done.returncode != 0
            assert "would exceed your quota of 1.0 GB" in done.stdout + done.stderr
    assert not StagedXorb.objects.exists()


def test_hf_upload_sends_xorbs_straight_to_the_bucket(
    s3_store: str,
    owner: User,
    start_portal: Callable[..., Portal],
    tmp_path: Path,
    write_files: WriteFiles,
) -> None:
    portal = start_portal(worker=True)
    publisher = Publisher(portal.url, factories.token(owner, "write"), tmp_path, "0")
    files = {**xet.recorded_files(), "large.bin": LARGE}
    upload(publisher, write_files(files))

    listed = newest().files.select_related("blob")
    assert {file.path: stored(file) for file in listed if file.path in files} == files
    logs = logs_of(tmp_path / "hf-home")
    assert "cas::upload_xorb_to_grant" in logs
    assert 'cas::upload_xorb\\"' not in logs
