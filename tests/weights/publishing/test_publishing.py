"""Publishing: published files, refused folders, and repeated runs."""

import hashlib
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.tiers.models import Tier
from tests.support import factories
from weights.catalogue.models import Checkpoint
from weights.errors import (
    BlobTooLarge,
    InvalidName,
    PublishRefused,
    SourceChanged,
    SourceUnusable,
    StorageFull,
    StorageUnavailable,
    UnknownTier,
)
from weights.integrity import suspension, verification
from weights.integrity.verification.outcomes import REREADS
from weights.publishing import intake, source_folder
from weights.publishing.models import File, Revision
from weights.storage.folder_store import FileUpload
from weights.storage.models import Blob

pytestmark = pytest.mark.usefixtures("open_tier", "store")

README, CONFIG = b"# A model\n", b"{}\n"
WEIGHTS = factories.safetensors(bytes(range(256)) * 100)
SIZE = len(README) + len(CONFIG) + len(WEIGHTS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model on a publisher's disk, not changed for a while."""
    root = tmp_path / "model"
    write(root / "README.md", README)
    write(root / "config.json", CONFIG)
    write(root / "weights" / "model.safetensors", WEIGHTS)
    return root


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def publish(folder: Path, repo_id: str = "acme/model", **options: Any) -> Revision:
    return intake.publish(folder, repo_id, **({"tier": "open"} | options))


def read_source(source: source_folder.Source) -> None:
    with source_folder.opened(source):
        pass


@contextmanager
def as_owner() -> Iterator[None]:
    was = os.geteuid()
    os.seteuid(os.getuid())
    yield
    os.seteuid(was)


def verify_all() -> None:
    for blob in Blob.objects.due_for_check(timezone.now()):
        verification.verify(blob.pk)


def paths(revision: Revision) -> list[str]:
    return list(revision.files.values_list("path", flat=True))


@pytest.fixture(autouse=True)
def _rested_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a test are only a moment old; intake trusts their times nevertheless."""
    # A bound made small: 50 ms in earnest.
    monkeypatch.setattr(intake, "_CLOCK_TICK", timedelta(0))


# -- what is published --------------------------------------------------------------------


def test_every_regular_file_including_hidden_ones_is_published_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / ".gitattributes", b"*.bin filter=lfs\n")
    write(folder / ".hidden" / "x", b"x")
    write(folder / ".cache" / "own" / "y", b"y")
    write(folder / ".git" / "HEAD", b"ref")
    write(folder / ".cache" / "huggingface" / "lock", b"")
    write(folder / "sub" / ".git", b"gitdir: elsewhere")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(folder)  # the address of a socket is short
        listener.bind("socket")
    assert paths(publish(folder)) == [
        *(".cache/own/y", ".gitattributes", ".hidden/x", "README.md", "config.json"),
        "weights/model.safetensors",
    ]


def test_the_bytes_are_stored_under_their_hash(folder: Path, store: Path) -> None:
    revision = publish(folder, message="First", tag="v1")
    for file in revision.files.select_related("blob"):
        content = (folder / file.path).read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        assert (file.sha256, file.size) == (sha256, len(content))
        assert (store / sha256[:2] / sha256[2:4] / sha256).read_bytes() == content
    assert (revision.file_count, revision.total_bytes) == (3, SIZE)
    assert revision.message == "First"


def test_links_inside_the_folder_are_published_as_their_targets(folder: Path) -> None:
    (folder / "link.json").symlink_to("config.json")
    (folder / "weights" / "up.md").symlink_to("../README.md")
    files = {file.path: file.sha256 for file in publish(folder).files.select_related("blob")}
    assert files["link.json"] == files["config.json"]
    assert files["weights/up.md"] == files["README.md"]


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(folder)
    assert publish(tmp_path / "alias").file_count == 3


@pytest.mark.requirement("ST-3")
def test_equal_files_are_stored_once(folder: Path) -> None:
    write(folder / "again.json", b"{}\n")
    assert publish(folder).file_count == 4
    assert Blob.objects.count() == 3


def test_unicode_and_long_names_are_preserved(folder: Path) -> None:
    long = "/".join(["d" * 100, "é" * 100, "f" * 98])
    assert len(long) == 300
    for path in ("权重/模型 😀.bin", long):
        write(folder / path, b"x")
    revision = publish(folder)
    assert {"权重/模型 😀.bin", long} <= set(paths(revision))


def test_shard_numbers_and_published_md5s_are_recorded(tmp_path: Path) -> None:
    name = "checkpoint_last-model_part-1-shard23.pt"
    md5 = hashlib.md5(b"shard").hexdigest()  # noqa: S324 - the published lists have no other
    write(tmp_path / "m" / name, b"shard")
    write(tmp_path / "m" / "md5sum_shards.csv", f"shard,md5sum\n{name},{md5}\n".encode())
    revision = publish(tmp_path / "m", accept_findings=True)  # one shard of many
    file = revision.files.get(path=name)
    assert (file.part, file.shard, file.md5) == (1, 23, md5)


def test_a_file_that_contradicts_its_published_md5_is_refused(folder: Path) -> None:
    write(folder / "sums.csv", b"shard,md5sum\nconfig.json," + b"0" * 32 + b"\n")
    with pytest.raises(SourceUnusable, match=r"config\.json has MD5"):
        publish(folder)
    assert not Checkpoint.objects.exists()


def test_progress_counts_every_byte(folder: Path) -> None:
    seen: list[int] = []
    for _ in range(2):
        seen.clear()
        publish(folder, progress=seen.append)
        assert sum(seen) == SIZE


def test_publishing_is_audited(folder: Path) -> None:
    revision = publish(folder)
    event = AuditEvent.objects.get(action="revision.published")
    assert event.details["sha"] == revision.sha
    assert event.details["bytes"] == SIZE


# -- the second time ----------------------------------------------------------------------


def test_publishing_the_same_folder_again_reads_nothing_and_returns_the_same_revision(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish(folder)

    def unread(*args: Any) -> Any:
        raise AssertionError("a file was read again")

    # To be called is to fail.
    monkeypatch.setattr(intake, "blocks", unread)
    assert publish(folder) == first
    verify_all()
    assert publish(folder) == first
    assert Revision.objects.count() == 1


def test_a_changed_folder_becomes_the_next_revision_of_its_branch(folder: Path) -> None:
    first = publish(folder)
    write(folder / "config.json", b'{"a": 1}\n')
    second = publish(folder)
    assert second.parent == first
    assert second.sha != first.sha


def test_a_rewritten_file_of_equal_size_is_read_again(folder: Path) -> None:
    publish(folder)
    write(folder / "config.json", b"[]\n")
    file = publish(folder).files.get(path="config.json")
    assert file.sha256 == hashlib.sha256(b"[]\n").hexdigest()


def test_a_revision_becomes_visible_at_once_when_all_its_bytes_are_verified(folder: Path) -> None:
    publish(folder)
    verify_all()
    (folder / "README.md").unlink()
    assert publish(folder).state == Revision.State.VISIBLE


def test_a_tag_can_be_added_later_and_never_moves(folder: Path) -> None:
    first = publish(folder)
    verify_all()
    assert publish(folder, tag="v1") == first
    assert first.refs.get(name="v1").kind == "tag"
    write(folder / "config.json", b"other\n")
    with pytest.raises(PublishRefused, match="the tag 'v1' belongs to"):
        publish(folder, tag="v1")


def test_another_branch_does_not_move_main(folder: Path) -> None:
    main = publish(folder)
    verify_all()
    write(folder / "config.json", b"other\n")
    side = publish(folder, branch="feature/x")
    verify_all()
    refs = {ref.name: ref.revision for ref in main.checkpoint.refs.all()}
    assert refs == {"main": main, "feature/x": side}


def test_lost_bytes_are_stored_again(folder: Path, store: Path) -> None:
    publish(folder)
    verify_all()
    sha256 = hashlib.sha256(b"{}\n").hexdigest()
    (store / sha256[:2] / sha256[2:4] / sha256).unlink()
    publish(folder)
    assert (store / sha256[:2] / sha256[2:4] / sha256).read_bytes() == b"{}\n"
    assert Blob.objects.get(sha256=sha256).state == Blob.State.UPLOADED
    verify_all()
    assert Blob.objects.get(sha256=sha256).state == Blob.State.VERIFIED


# -- what is refused ----------------------------------------------------------------------


@pytest.mark.requirement("ST-5")
def test_a_file_too_large_to_check_in_one_pass_is_refused_before_anything_is_copied(
    folder: Path, store: Path
) -> None:
    shard = folder / "weights" / "model.safetensors"
    os.truncate(shard, intake.LARGEST_FILE + 1)
    with pytest.raises(BlobTooLarge, match="smaller shards") as refused:
        publish(folder)
    assert "weights/model.safetensors has 500000000001 bytes" in str(refused.value)
    assert not Checkpoint.objects.exists()
    assert not any(path.is_file() for path in store.rglob("*"))


def assert_refused(error: type[Exception], words: str, *arguments: Any, **options: Any) -> None:
    with pytest.raises(error, match=words):
        publish(*arguments, **options)
    assert not Revision.objects.exists()


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert_refused(SourceUnusable, "No such file", tmp_path / "nowhere")


def test_a_file_in_place_of_a_folder_is_refused(folder: Path) -> None:
    assert_refused(SourceUnusable, "not a folder", folder / "config.json")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    assert_refused(SourceUnusable, "contains no files", tmp_path / "empty")


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A world-readable folder, and this process without root's permission to read everything."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        write(Path(name) / "config.json", b"{}\n")
        was = os.geteuid()
        if was == 0:
            os.seteuid(65534)
        yield Path(name)
        os.seteuid(was)


def test_an_unreadable_file_or_folder_is_refused(nobody: Path) -> None:
    with as_owner():
        (nobody / "config.json").chmod(0)
    with pytest.raises(SourceUnusable, match=r"config\.json cannot be read"):
        list(map(read_source, source_folder.scan(nobody)))
    with as_owner():
        nobody.chmod(0)
    with pytest.raises(SourceUnusable, match="cannot be read: Permission denied"):
        source_folder.scan(nobody)


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside.txt", "/proc/self/environ"])
def test_a_link_out_of_the_folder_is_refused(folder: Path, target: str) -> None:
    write(folder.parent / "outside.txt", b"secret")
    (folder / "leak.txt").symlink_to(target)
    assert_refused(SourceUnusable, "leak.txt is a link to a file outside the folder", folder)


def test_a_link_through_a_linked_folder_is_refused(folder: Path) -> None:
    (folder / "there").symlink_to("/etc")
    assert_refused(SourceUnusable, "there is a link to a file outside", folder)


@pytest.mark.parametrize("target", ["nowhere", "loop"])
def test_a_broken_link_is_refused(folder: Path, target: str) -> None:
    (folder / "loop").symlink_to(target)
    assert_refused(SourceUnusable, "loop is a broken symbolic link", folder)


def test_a_link_to_a_folder_is_refused(folder: Path) -> None:
    (folder / "latest").symlink_to("weights")
    assert_refused(SourceUnusable, "something other than a file", folder)


@pytest.mark.parametrize("repo_id", ["model", "a/b/c", "a--b/c", f"a/{'n' * 300}", "api/x"])
def test_a_name_that_the_hub_client_would_refuse_is_refused(folder: Path, repo_id: str) -> None:
    assert_refused(InvalidName, "; ", folder, repo_id)


@pytest.mark.parametrize("name", ["a\\b", "new\nline", "e\u0301"])
def test_a_file_name_that_is_invalid_in_a_url_is_refused(folder: Path, name: str) -> None:
    write(folder / name, b"x")
    assert_refused(InvalidName, "rename", folder)


def test_a_file_name_that_is_not_utf8_is_refused(folder: Path) -> None:
    with open(os.fsencode(folder) + b"/bad\xff", "wb"):  # noqa: PTH123 - a name as bytes
        pass
    assert_refused(InvalidName, "not valid UTF-8", folder)


def test_an_unknown_tier_is_refused_and_the_existing_ones_are_named(folder: Path) -> None:
    assert_refused(UnknownTier, "the tiers are: open", folder, tier="opne")


def test_a_tier_other_than_the_checkpoints_is_refused(folder: Path, gated_tier: Tier) -> None:
    factories.published("acme/model")
    Revision.objects.update(state=Revision.State.VISIBLE)
    with pytest.raises(PublishRefused, match="is in tier open, not opt-175b"):
        publish(folder, tier=gated_tier.slug)


def test_a_name_in_another_case_is_refused(folder: Path) -> None:
    publish(folder)
    with pytest.raises(PublishRefused, match="taken by acme/model"):
        publish(folder, "Acme/Model")


def test_branch_and_tag_of_one_name_are_refused(folder: Path) -> None:
    assert_refused(PublishRefused, "both branch and tag", folder, branch="v1", tag="v1")
    publish(folder, tag="v1")
    with pytest.raises(PublishRefused, match="'v1' is a tag"):
        publish(folder, branch="v1")
    with pytest.raises(PublishRefused, match="'main' is a branch"):
        publish(folder, branch="other", tag="main")


def test_publishing_does_not_make_a_public_checkpoint_private(folder: Path) -> None:
    publish(folder)
    with pytest.raises(PublishRefused, match="already public"):
        publish(folder, private=True)
    assert publish(folder, "acme/secret", private=True).checkpoint.private


def test_publishing_under_the_name_of_a_catalogue_entry_adds_its_files(
    folder: Path, open_tier: Tier
) -> None:
    entry = Checkpoint.objects.create(org="facebook", name="opt-125m", tier=open_tier)
    assert publish(folder, "facebook/opt-125m").checkpoint == entry


# -- faults during a publication ----------------------------------------------------------


@pytest.mark.parametrize("change", ["grows", "shrinks", "is replaced", "is gone", "is a link"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    folder: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = folder / "weights" / "model.safetensors"
    scanned = source_folder.scan(folder)
    if change == "grows":
        victim.write_bytes(bytes(10**6))
    elif change == "shrinks":
        victim.write_bytes(b"")
    else:
        victim.unlink()
    if change == "is replaced":
        victim.write_bytes(bytes(range(256)) * 100)
    elif change == "is a link":
        victim.symlink_to("/etc/hostname")
    # The change falls between listing and reading, which cannot be timed.
    monkeypatch.setattr(intake, "scan", lambda directory: scanned)
    assert_refused(SourceChanged, "changed while it was being read", folder)


def test_a_write_while_the_file_is_read_is_detected(folder: Path, store: Path) -> None:
    def meddle(count: int) -> None:
        with (folder / "README.md").open("r+b") as stream:
            stream.write(b"!")

    assert_refused(SourceChanged, r"README\.md changed", folder, progress=meddle)
    assert list((store / ".uploads").iterdir()) == []


def test_the_first_publication_creates_the_store(
    folder: Path, tmp_path: Path, settings: Settings
) -> None:
    settings.WEIGHTS_STORAGE = f"file://{tmp_path}/new/blobs"
    assert publish(folder).file_count == 3


def test_a_publication_while_the_disk_is_missing_is_refused_and_quarantines_nothing(
    folder: Path, store: Path
) -> None:
    publish(folder)
    verify_all()
    away = store.rename(store.with_name("away"))
    store.mkdir()  # what the disk is mounted on
    write(folder / "late.bin", b"published meanwhile")
    with pytest.raises(StorageUnavailable, match="is its disk mounted"):
        publish(folder)
    assert Revision.objects.count() == 1
    blob = Blob.objects.earliest("pk")
    suspension.request_check(blob)
    for _ in range(1 + REREADS):
        verification.verify(blob.pk)
    blob.refresh_from_db()
    assert blob.state == Blob.State.VERIFIED
    assert list(store.iterdir()) == []
    store.rmdir()
    away.rename(store)
    assert publish(folder).file_count == 4
    verification.verify(blob.pk)
    blob.refresh_from_db()
    assert (blob.state, blob.doubts) == (Blob.State.VERIFIED, 0)


def test_a_full_store_is_reported_and_the_next_run_continues(
    folder: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all = FileUpload.write

    def full(self: FileUpload, chunk: bytes | memoryview) -> None:
        if len(chunk) > 1000:
            raise StorageFull("the store is full")
        write_all(self, chunk)

    with monkeypatch.context() as patch:
        # A full disk takes a mounted one, so root; tests/chaos fills one.
        patch.setattr(FileUpload, "write", full)
        assert_refused(StorageFull, "is full", folder)
    assert list((store / ".uploads").iterdir()) == []
    assert publish(folder).file_count == 3


@pytest.mark.slow
def test_files_of_a_revision_are_recorded_in_few_statements(tmp_path: Path) -> None:
    for number in range(300):
        write(tmp_path / "many" / f"model_part-0-shard{number}.pt", b"%d" % number)
    with CaptureQueriesContext(connection) as captured:
        publish(tmp_path / "many", "acme/many")
    assert File.objects.count() == 300
    statements = [query["sql"] for query in captured if "intakenote" not in query["sql"]]
    # SQLite limits the values of a statement, so 600 rows take a few statements.
    assert len([sql for sql in statements if sql.startswith(("INSERT", "UPDATE"))]) <= 12
