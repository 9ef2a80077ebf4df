"""The contract of a blob store, for files and for a real S3 store."""

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError
from pytest_django import Settings

from portal.settings import environment
from tests.support.servers import s3
from weights import storage
from weights.errors import BlobMissing, BlobTooLarge, StorageFull, StorageUnavailable
from weights.storage import BlobStorage, blob_storage
from weights.storage.folder_store import FileStorage
from weights.storage.protocol import blob_key
from weights.storage.s3 import S3Storage, upload
from weights.storage.s3.upload import PART_SIZE

pytestmark = pytest.mark.one_database

NO_AGE = timedelta(seconds=-1)


@pytest.fixture(params=["files", "s3"])
def any_store(request: pytest.FixtureRequest) -> BlobStorage:
    """An empty store of either kind, as the settings name it."""
    request.getfixturevalue("store" if request.param == "files" else "s3_store")
    return blob_storage()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads in the smallest parts that S3 takes, because those of 32 MiB take long."""
    monkeypatch.setattr(upload, "PART_SIZE", s3.SMALLEST_PART)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(store: BlobStorage, content: bytes) -> str:
    with store.receive() as upload:
        upload.write(content)
        upload.commit(sha256(content))
    return sha256(content)


def get(store: BlobStorage, name: str) -> bytes:
    buffer = memoryview(bytearray(1 << 20))
    content = bytearray()
    with store.open(name) as stream:
        while count := stream.readinto(buffer):  # type: ignore[attr-defined]
            content += buffer[:count]
    return bytes(content)


def status(url: str) -> int:
    try:
        with urlopen(url) as answer:
            return int(answer.status)
    except HTTPError as refused:
        with refused:
            return refused.code


# -- the contract -------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"x", os.urandom(1_000_003)], ids=["empty", "x", "1MB"])
def test_committed_content_is_read_back(any_store: BlobStorage, content: bytes) -> None:
    name = put(any_store, content)
    assert any_store.size(name) == len(content)
    assert get(any_store, name) == content


@pytest.mark.usefixtures("small_parts")
def test_content_of_several_parts_is_read_back_whole(any_store: BlobStorage) -> None:
    piece = os.urandom(1 << 20)
    whole = hashlib.sha256()
    count = 2 * s3.SMALLEST_PART // len(piece) + 1
    with any_store.receive() as upload:
        for _ in range(count):
            upload.write(memoryview(piece))
            whole.update(piece)
        upload.commit(whole.hexdigest())
    assert any_store.size(whole.hexdigest()) == count * len(piece)
    assert sha256(get(any_store, whole.hexdigest())) == whole.hexdigest()
    assert any_store.sweep(NO_AGE) == 0


def test_an_unknown_blob_has_no_size_and_cannot_be_opened(any_store: BlobStorage) -> None:
    put(any_store, b"another")
    assert any_store.size(sha256(b"never stored")) is None
    with pytest.raises(BlobMissing):
        any_store.open(sha256(b"never stored"))


@pytest.mark.usefixtures("small_parts")
def test_stat_list_and_open_agree_on_the_fingerprint_of_a_blob(
    any_store: BlobStorage,
) -> None:
    put(any_store, b"another")
    for content in (b"bytes", os.urandom(s3.SMALLEST_PART + 10)):
        name = put(any_store, content)
        listed = {one.key: one for one in any_store.list_objects()}
        seen = any_store.stat(name)
        assert seen is not None
        assert (seen.key, seen.size) == (blob_key(name), len(content))
        with any_store.open(name) as stream:
            opened = stream.stored  # type: ignore[attr-defined]
        assert {one.mark for one in (seen, listed[blob_key(name)], opened)} == {seen.mark}
    assert len(listed) == 3
    assert any_store.stat(sha256(b"never stored")) is None


def mark_of(store: BlobStorage, name: str) -> str:
    found = store.stat(name)
    assert found is not None
    return found.mark


def test_a_write_over_a_blob_changes_its_mark(any_store: BlobStorage) -> None:
    """Each of many within one tick of the kernel does, also where inodes are used again."""
    name = sha256(b"good bytes")
    marks = []
    for number in range(100 if any_store.is_local else 3):
        with any_store.receive() as upload:
            upload.write(b"%010d" % number)
            upload.commit(name)
        marks.append(mark_of(any_store, name))
    assert len(set(marks)) == len(marks)


@pytest.mark.requirement("HT-5")
def test_a_name_that_is_no_hash_is_never_a_key(any_store: BlobStorage) -> None:
    for name in ("../../etc/passwd", "A" * 64, ""):
        with pytest.raises(ValueError, match="SHA-256"):
            any_store.size(name)


@pytest.mark.requirement("ST-1")
@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("size", [10, s3.SMALLEST_PART + 10], ids=["small", "in parts"])
def test_leaving_without_commit_leaves_nothing(any_store: BlobStorage, size: int) -> None:
    content = bytes(size)
    with any_store.receive() as upload:
        upload.write(content)
    assert any_store.size(sha256(content)) is None
    assert any_store.sweep(NO_AGE) == 0


def test_a_second_commit_puts_good_bytes_over_bad_ones(any_store: BlobStorage) -> None:
    with any_store.receive() as upload:
        upload.write(b"bad bytes")
        upload.commit(sha256(b"good bytes"))
    put(any_store, b"good bytes")
    assert get(any_store, sha256(b"good bytes")) == b"good bytes"


def test_a_deleted_blob_is_gone_and_deleting_again_is_no_error(any_store: BlobStorage) -> None:
    name = put(any_store, b"short-lived")
    any_store.delete(name)
    any_store.delete(name)
    assert any_store.size(name) is None


def test_a_store_gives_a_path_or_an_address_never_both(any_store: BlobStorage) -> None:
    name = put(any_store, b"bytes")
    path = any_store.local_path(name)
    url = any_store.signed_url(name, filename="a.bin", seconds=60)
    assert (path is None) != (url is None)


# -- files --------------------------------------------------------------------------------


@pytest.fixture
def ticking_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that takes every time from the kernel's tick, as all did before Linux 6.13."""
    folder = tmp_path / "ticking"
    folder.mkdir()
    with mounted("ramfs", folder):
        yield folder


def write_in_place(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)


@pytest.mark.requirement("ST-7")
def test_a_write_in_place_changes_a_mark_that_was_taken_a_tick_after_the_last_one(
    ticking_disk: Path,
) -> None:
    files = FileStorage(ticking_disk)
    files.create()
    path = files.local_path(put(files, b"good bytes"))
    for number in range(50):
        write_in_place(path, b"%010d" % number)
        with files.open(path.name) as stream:
            stream.wait_past_ctime()  # type: ignore[attr-defined]
            verified = stream.stored.mark  # type: ignore[attr-defined]
        write_in_place(path, b"bad! bytes")
        found = files.stat(path.name)
        assert found is not None
        assert found.written_since(verified)


def test_a_fingerprint_distinguishes_a_write_from_a_touch(store: Path) -> None:
    files = FileStorage(store)
    path = files.local_path(put(files, b"good bytes"))
    verified = mark_of(files, path.name)
    of_an_earlier_release = str(path.stat().st_mtime_ns)

    def compare() -> tuple[bool, bool, bool, bool]:
        found = files.stat(path.name)
        assert found is not None
        new = found.written_since(verified), found.touched_since(verified)
        old = (
            found.written_since(of_an_earlier_release),
            found.touched_since(of_an_earlier_release),
        )
        return (*new, *old)

    assert compare() == (False, False, False, False)
    path.chmod(0o400)
    assert compare() == (False, True, False, False)
    copy = path.with_suffix(".copy")
    shutil.copy2(path, copy)
    copy.replace(path)
    assert path.stat().st_mtime_ns == int(of_an_earlier_release)
    assert compare() == (True, False, False, False)
    os.utime(path)
    assert compare() == (True, False, True, False)


@pytest.mark.requirement("ST-2")
def test_the_sweep_takes_old_leftovers_and_keeps_young_ones(store: Path) -> None:
    files = FileStorage(store)
    put(files, b"kept")
    old, young = store / ".uploads" / "old", store / ".uploads" / "young"
    for leftover in (old, young):
        leftover.write_bytes(b"half")
    yesterday = time.time() - 25 * 3600
    os.utime(old, (yesterday, yesterday))
    assert files.sweep(timedelta(hours=24)) == 1
    assert young.exists()
    assert get(files, sha256(b"kept")) == b"kept"


@pytest.mark.requirement("ST-1", "ST-10")
def test_a_blob_is_stored_under_its_hash_and_readable_only_by_its_user(tmp_path: Path) -> None:
    """Whatever the umask, and in a store that others were let into."""
    root = tmp_path / "blobs"
    root.mkdir()
    root.chmod(0o755)
    before = os.umask(0o022)
    try:
        files = FileStorage(root)
        files.create()
        name = put(files, b"bytes")
    finally:
        os.umask(before)
    path = root / name[:2] / name[2:4] / name
    assert path.read_bytes() == b"bytes"
    assert path.stat().st_mode & 0o777 == 0o600
    folders = [path.parent, path.parent.parent, root / ".uploads", root]
    assert {one.stat().st_mode & 0o777 for one in folders} == {0o700}


def test_a_store_of_an_earlier_release_is_shut_at_the_start(
    store: Path, settings: Settings
) -> None:
    name = put(FileStorage(store), b"bytes")
    path = FileStorage(store).local_path(name)
    path.chmod(0o644)
    store.chmod(0o755)
    storage.prepare()
    assert store.stat().st_mode & 0o777 == 0o700
    settings.WEIGHTS_STORAGE = f"file://{store}/gone"
    storage.prepare()


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone becomes other users")
def test_a_setgid_store_is_readable_only_by_its_group(tmp_path: Path) -> None:
    """As nginx needs it that runs as another user and sends blobs itself."""
    group, nobody = 12_345, 65_534
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o711)
        root = Path(name) / "blobs"
        root.mkdir()
        os.chown(root, -1, group)
        root.chmod(0o2755)
        files = FileStorage(root)
        files.create()
        path = files.local_path(put(files, b"bytes"))

        def read_as(own_group: int) -> bytes:
            done = subprocess.run(
                ["cat", str(path)],
                user=nobody,
                group=own_group,
                extra_groups=[],
                check=False,
                capture_output=True,
            )
            return done.stdout

        assert read_as(group) == b"bytes"
        assert read_as(nobody) == b""
        assert path.stat().st_mode & 0o777 == 0o640
        assert root.stat().st_mode & 0o7777 == 0o2750


def test_a_store_whose_disk_is_not_mounted_is_unavailable_not_empty(tmp_path: Path) -> None:
    away = FileStorage(tmp_path / "gone")
    with pytest.raises(StorageUnavailable, match="mounted"):
        away.open(sha256(b"x"))
    with pytest.raises(StorageUnavailable, match="mounted"):
        put(away, b"x")
    assert not away.root.exists()


def test_setting_a_store_up_again_changes_nothing(store: Path) -> None:
    name = put(FileStorage(store), b"kept")
    FileStorage(store).create()
    assert get(FileStorage(store), name) == b"kept"
    deep = FileStorage(store / "in" / "folders" / "that are new")
    deep.create()
    assert get(deep, put(deep, b"bytes")) == b"bytes"


def test_a_folder_that_another_process_made_is_synced_too_and_once(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = sha256(b"bytes")
    folder = store / name[:2] / name[2:4]
    folder.mkdir(parents=True)
    synced, sync = [], os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        sync(descriptor)

    # Durability cannot be tested without cutting the power.
    monkeypatch.setattr(os, "fsync", noted)
    files = FileStorage(store)
    put(files, b"bytes")
    assert synced[1:] == [store, folder.parent, folder]
    put(files, b"bytes")
    assert synced[5:] == [folder]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    with mounted("tmpfs", folder, "size=1m"):
        yield folder


@contextmanager
def mounted(kind: str, folder: Path, options: str = "defaults") -> Iterator[None]:
    """A file system of this kind, where a test may mount one."""
    mount = ["mount", "-t", kind, "-o", options, kind, str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting a {kind} is not permitted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_reported_and_leaves_nothing_of_the_upload(small_disk: Path) -> None:
    files = FileStorage(small_disk)
    files.create()
    with pytest.raises(StorageFull, match="is full"):
        put(files, bytes(2 << 20))
    assert list((small_disk / ".uploads").iterdir()) == []
    assert get(files, put(files, b"fits")) == b"fits"


# -- S3 -----------------------------------------------------------------------------------


@pytest.fixture
def bucket(s3_store: str) -> S3Storage:
    store = blob_storage()
    assert isinstance(store, S3Storage)
    return store


def test_a_signed_address_gives_the_bytes_under_the_files_name(bucket: S3Storage) -> None:
    name = put(bucket, b"shard bytes")
    url = bucket.signed_url(name, filename="shard é.pt", seconds=60)
    with urlopen(url) as answer:
        assert answer.read() == b"shard bytes"
        assert "shard%20%C3%A9.pt" in answer.headers["Content-Disposition"]
        assert answer.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.usefixtures("no_values_of_files")
def test_the_credential_of_a_file_opens_the_store(
    s3_store: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not in the environment, where boto3 would look for it."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    lines = "".join(f"{name}={os.environ[name]}\n" for name in names if name in os.environ)
    for name in names:
        monkeypatch.delenv(name, raising=False)
    assert environment.aws() == {}
    environment.read_lines(lines)
    assert not set(names) & set(os.environ)
    settings.S3_SESSION = environment.aws()
    store = blob_storage()
    name = put(store, b"shard bytes")
    assert get(store, name) == b"shard bytes"
    url = store.signed_url(name, filename="a", seconds=60)
    assert url is not None
    assert status(url) == 200
    settings.S3_SESSION = environment.aws() | {"aws_secret_access_key": "another"}
    with pytest.raises(StorageUnavailable):
        blob_storage().size(name)


def test_an_altered_or_expired_signed_address_is_refused(bucket: S3Storage) -> None:
    name, other = put(bucket, b"one"), put(bucket, b"two")
    url = bucket.signed_url(name, filename="a", seconds=1)
    assert status(url.replace(name, other)) == 403
    assert status(url.replace("Expires=1&", "Expires=9&")) == 403
    time.sleep(2.1)
    assert status(url) == 403


@pytest.mark.requirement("UR-12")
def test_a_signed_address_gives_the_version_that_was_read(
    s3_server: s3.Store, settings: Settings, s3_store: str
) -> None:
    settings.WEIGHTS_STORAGE = s3_server.versioned()
    client = s3_server.client()
    store = blob_storage()
    assert isinstance(store, S3Storage)
    name = put(store, b"weighed")
    with store.open(name) as stream:
        version = stream.version  # type: ignore[attr-defined]
    client.put_object(**store.location(name), Body=b"put there behind our back")
    bound = store.signed_url(name, filename="a", seconds=60, version=version)
    with urlopen(bound) as answer:
        assert answer.read() == b"weighed"
    assert status(bound.replace(version, "0" * len(version))) == 403


def test_each_part_carries_a_checksum_that_the_store_holds_it_against(
    bucket: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small, to be quick.
    monkeypatch.setattr(upload, "PART_SIZE", s3.SMALLEST_PART)
    in_parts = os.urandom(1 << 20) * 6
    for kind in ("none", "sha256", "crc32"):
        # What a setting chooses when the store is opened.
        monkeypatch.setattr(bucket, "checksums", kind)
        for content in (kind.encode(), in_parts):
            assert get(bucket, put(bucket, content)) == content
    place = bucket.location(sha256(b"sha256"))
    assert bucket.client.head_object(**place, ChecksumMode="ENABLED")["ChecksumSHA256"]
    # A sum that is not of these bytes, as of bytes that were damaged on the way.
    monkeypatch.setattr(upload, "checksum", lambda body, kind: {"ChecksumCRC32": "AAAAAA=="})
    for damaged in (b"on the way", in_parts):
        with pytest.raises(StorageUnavailable, match="differ from what was sent"):
            put(bucket, damaged)
    assert bucket.sweep(NO_AGE) == 0


@pytest.mark.parametrize("size", [0, 1, 32 << 20, 320 << 30, 350 * 10**9, upload.LARGEST])
def test_parts_are_as_large_as_it_takes_for_the_most_that_s3_counts(size: int) -> None:
    part = upload.part_size(size)
    assert PART_SIZE <= part <= 5 << 30
    assert -(-size // part) <= upload.MOST_PARTS
    assert part == PART_SIZE or (part - 1) * upload.MOST_PARTS < size


def test_a_file_too_large_for_s3_is_refused_before_a_byte_is_sent(bucket: S3Storage) -> None:
    with pytest.raises(BlobTooLarge, match="in shards"), bucket.receive(upload.LARGEST + 1):
        pass


def test_more_bytes_than_announced_end_with_an_error_and_leave_nothing(
    bucket: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Bounds made small: 32 MiB and 10,000 in earnest.
    monkeypatch.setattr(upload, "PART_SIZE", s3.SMALLEST_PART)
    monkeypatch.setattr(upload, "MOST_PARTS", 1)
    with pytest.raises(BlobTooLarge, match="more than 1 parts"):
        put(bucket, os.urandom(1 << 20) * 6)
    assert bucket.sweep(NO_AGE) == 0
    content = os.urandom(1 << 20) * 6
    with bucket.receive(len(content)) as one_part:
        one_part.write(content)
        one_part.commit(sha256(content))
    assert get(bucket, sha256(content)) == content


def test_an_upload_that_the_store_truncated_is_refused(
    bucket: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = {"ContentLength": 4}
    # No store in the tests loses objects.
    monkeypatch.setattr(bucket.client, "head_object", lambda **_: short)
    with pytest.raises(StorageUnavailable, match="kept 4 of 9 bytes"):
        put(bucket, b"not whole")


def test_addresses_are_signed_for_the_public_name_of_the_store(
    s3_store: str, settings: Settings
) -> None:
    settings.S3_PUBLIC_ENDPOINT_URL = "https://weights.example.org"
    url = blob_storage().signed_url(sha256(b""), filename="a", seconds=60)
    assert url is not None
    assert url.startswith("https://weights.example.org/")


def test_threads_that_ask_at_once_share_one_store(s3_store: str) -> None:
    storage._store.cache_clear()
    with ThreadPoolExecutor(16) as threads:
        stores = list(threads.map(lambda _: id(blob_storage()), range(16)))
    assert len(set(stores)) == 1


@pytest.mark.usefixtures("small_parts")
def test_content_is_copied_in_parts_where_it_is_too_large_for_one_copy(
    bucket: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Bounds made small: one gigabyte in earnest.
    monkeypatch.setattr(bucket.copying, "multipart_threshold", s3.SMALLEST_PART)
    monkeypatch.setattr(bucket.copying, "multipart_chunksize", s3.SMALLEST_PART)
    content = os.urandom(1 << 20) * 12
    assert sha256(get(bucket, put(bucket, content))) == sha256(content)


def test_the_sweep_aborts_uploads_that_a_kill_left_open(bucket: S3Storage) -> None:
    staged = bucket.staging_location()
    begun = bucket.client.create_multipart_upload(**staged)
    bucket.client.upload_part(**staged, UploadId=begun["UploadId"], PartNumber=1, Body=b"half")
    bucket.client.put_object(**bucket.staging_location(), Body=b"whole but never copied")
    assert bucket.sweep(timedelta(hours=24)) == 0
    assert bucket.sweep(NO_AGE) == 2
    assert bucket.sweep(NO_AGE) == 0


def of_versions(store: S3Storage) -> list[str]:
    """Keys of every version and delete marker of a store's place, below it."""
    found = store.client.list_object_versions(Bucket=store.bucket, Prefix=store.prefix)
    listed = [*found.get("Versions", []), *found.get("DeleteMarkers", [])]
    return [str(one["Key"]).removeprefix(store.prefix) for one in listed]


@pytest.mark.requirement("ST-3")
def test_a_versioned_bucket_stores_a_multipart_upload_once(
    s3_server: s3.Store, s3_store: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEIGHTS_STORAGE = s3_server.versioned()
    store = blob_storage()
    assert isinstance(store, S3Storage)
    # Small, to be quick.
    monkeypatch.setattr(upload, "PART_SIZE", s3.SMALLEST_PART)
    name = put(store, os.urandom(1 << 20) * 6)
    assert of_versions(store) == [blob_key(name)]


@pytest.mark.requirement("ST-2")
def test_the_sweep_takes_older_versions_and_delete_markers_of_what_was_staged(
    s3_server: s3.Store, s3_store: str, settings: Settings
) -> None:
    settings.WEIGHTS_STORAGE = s3_server.versioned()
    store = blob_storage()
    assert isinstance(store, S3Storage)
    for _ in range(2):
        name = put(store, b"kept in both versions")
    staged = store.staging_location()
    store.client.put_object(**staged, Body=b"whole but never copied")
    store.client.delete_object(**staged)
    store.client.put_object(**store.staging_location(), Body=b"another")
    assert store.sweep(timedelta(hours=24)) == 0
    assert store.sweep(NO_AGE) == 3
    assert of_versions(store) == [blob_key(name)] * 2
    assert store.sweep(NO_AGE) == 0


@pytest.mark.parametrize("right", ["get_bucket_versioning", "delete_object"])
def test_a_sweep_does_what_the_credential_allows_and_reports_the_rest(
    bucket: S3Storage, right: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, right)

    bucket.client.put_object(**bucket.staging_location(), Body=b"whole but never copied")
    with monkeypatch.context() as patch:
        # The suite's credential may do everything.
        patch.setattr(bucket.client, right, denied)
        patch.setattr(bucket._quick, right, denied)
        assert bucket.sweep(NO_AGE) == (right != "delete_object")
    assert "allow s3:GetBucketVersioning" in caplog.text
    assert bucket.sweep(NO_AGE) == (right == "delete_object")


def test_a_store_that_does_not_answer_is_unavailable(s3_store: str) -> None:
    dead = "http://127.0.0.1:1"
    store = S3Storage(s3.BUCKET, "x", endpoint=dead, public_endpoint=dead)
    with pytest.raises(StorageUnavailable):
        store.size(sha256(b""))
    with pytest.raises(StorageUnavailable):
        put(store, b"bytes")
