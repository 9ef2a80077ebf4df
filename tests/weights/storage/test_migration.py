"""`manage.py migrate_storage`: from files to a real S3 store and back."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts.users.models import User
from tests.support import factories
from tests.support.servers import live, s3, services
from weights.integrity import manual_quarantine
from weights.storage import migration, store_at
from weights.storage.models import Blob

Manage = Callable[..., str]


@pytest.fixture
def bucket(s3_server: s3.Store, settings: Settings) -> str:
    """The address of an empty place in S3, while the portal's own store stays where it is."""
    settings.S3_ENDPOINT_URL = settings.S3_PUBLIC_ENDPOINT_URL = s3_server.endpoint
    return f"s3://{s3.BUCKET}/{factories.word()}"


def content_of(address: str) -> dict[str, bytes]:
    """What a store holds of the blobs that the database knows."""
    found = {}
    for blob in Blob.objects.all():
        if store_at(address).size(blob.sha256) is not None:
            with store_at(address).open(blob.sha256) as stream:
                found[blob.sha256] = stream.read()
    return found


def path_in(store: Path, sha256: str) -> Path:
    return store / sha256[:2] / sha256[2:4] / sha256


def test_every_blob_moves_to_s3_and_back(
    store: Path, open_tier: None, bucket: str, tmp_path: Path, manage: Manage
) -> None:
    factories.published("acme/small")
    factories.published("acme/other", files={"empty.txt": b"", "big.bin": os.urandom(3_000_000)})
    before = content_of(f"file://{store}")
    assert len(before) == 5
    assert manage("migrate_storage", f"file://{store}", bucket).splitlines() == [
        *("copied 5", "present 0", "failed 0")
    ]
    assert content_of(bucket) == before
    back = f"file://{tmp_path}/back"
    manage("migrate_storage", bucket, back)
    assert content_of(back) == before


def test_a_second_run_copies_what_is_new_and_what_is_not_whole(
    store: Path, open_tier: None, tmp_path: Path, manage: Manage
) -> None:
    revision = factories.published("acme/small")
    target = tmp_path / "new"
    manage("migrate_storage", f"file://{store}", f"file://{target}")
    factories.published("acme/late", files={"late.bin": b"published meanwhile"})
    cut = path_in(target, revision.files.get(path="config.json").sha256)
    cut.write_bytes(cut.read_bytes()[:-1])
    said = manage("migrate_storage", f"file://{store}", f"file://{target}")
    assert said.splitlines() == ["copied 2 (1 over other bytes)", "present 2", "failed 0"]
    assert content_of(f"file://{target}") == content_of(f"file://{store}")


def put_wrong(address: str, blob: Blob) -> None:
    """Other bytes of the right length under the blob's name."""
    with store_at(address).receive() as upload:
        upload.write(bytes(blob.size))
        upload.commit(blob.sha256)


@pytest.mark.requirement("ST-3")
@pytest.mark.parametrize("kind", ["files", "s3"])
def test_wrong_blobs_in_the_target_are_found_and_replaced(
    store: Path,
    open_tier: None,
    tmp_path: Path,
    manage: Manage,
    request: pytest.FixtureRequest,
    kind: str,
) -> None:
    factories.published("acme/small")
    here = f"file://{store}"
    target = request.getfixturevalue("bucket") if kind == "s3" else f"file://{tmp_path}/new"
    assert manage("migrate_storage", here, target).splitlines()[0] == "copied 3"
    put_wrong(target, Blob.objects.earliest("pk"))
    assert manage("migrate_storage", here, target, "--trust-size").splitlines() == [
        *("copied 0", "present 3", "failed 0")
    ]
    assert manage("migrate_storage", here, target).splitlines() == [
        *("copied 1 (1 over other bytes)", "present 2", "failed 0")
    ]
    assert content_of(target) == content_of(here)


def test_wrong_bytes_that_cannot_be_overwritten_are_reported(
    store: Path, open_tier: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    factories.published("acme/small")
    blob = Blob.objects.earliest("pk")
    here, target = f"file://{store}", f"file://{tmp_path}/new"
    call_command("migrate_storage", here, target)
    put_wrong(target, blob)
    path_in(store, blob.sha256).unlink()
    with pytest.raises(CommandError, match="1 blobs were not copied"):
        call_command("migrate_storage", here, target)
    assert f"missing in {here}; {target} has other bytes under its name" in capsys.readouterr().err


def test_the_steps_of_a_run_come_to_the_size_of_what_is_moved(
    store: Path, open_tier: None, tmp_path: Path
) -> None:
    factories.published("acme/small", files={"a.bin": os.urandom(3_000_000), "b.bin": b"b"})
    here, target = store_at(f"file://{store}"), store_at(f"file://{tmp_path}/new")
    target.create()
    migration.copy_all(here, target)
    put_wrong(target.address, Blob.objects.earliest("pk"))
    steps: list[int] = []
    assert migration.copy_all(here, target, steps.append).replaced == 1
    assert sum(steps) == sum(blob.size for blob in Blob.objects.all())
    assert any(step > 0 for step in steps)


def test_a_damaged_and_a_lost_blob_are_named_and_the_others_copied(
    store: Path, open_tier: None, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    revision = factories.published("acme/small")
    damaged = revision.files.get(path="model.safetensors").sha256
    lost = revision.files.get(path="config.json").sha256
    content = bytearray(path_in(store, damaged).read_bytes())
    content[100] ^= 1
    path_in(store, damaged).write_bytes(content)
    path_in(store, lost).unlink()
    with pytest.raises(CommandError, match="2 blobs were not copied"):
        call_command("migrate_storage", f"file://{store}", bucket)
    said = capsys.readouterr()
    assert said.out.splitlines() == ["copied 1", "present 0", "failed 2"]
    assert f"{damaged} (acme/small/model.safetensors): its bytes in file://" in said.err
    assert f"{lost} (acme/small/config.json): missing in file://" in said.err
    assert store_at(bucket).size(damaged) is None
    assert store_at(bucket).size(lost) is None


def test_a_quarantined_blob_stays_where_it_is(
    store: Path, open_tier: None, tmp_path: Path, manage: Manage
) -> None:
    factories.published("acme/small")
    Blob.objects.filter(files__path="config.json").update(state=Blob.State.QUARANTINED)
    said = manage("migrate_storage", f"file://{store}", f"file://{tmp_path}/new")
    assert said.splitlines()[-1] == "quarantined 1 (not deleted)"
    assert len(content_of(f"file://{tmp_path}/new")) == 2


def test_a_manually_quarantined_blob_moves_with_the_others(
    store: Path, open_tier: None, tmp_path: Path, manage: Manage, release_owner: User
) -> None:
    revision = factories.published("acme/small")
    held = revision.files.get(path="config.json").blob
    manual_quarantine.hold(held, "it may leak something private", by=release_owner)
    said = manage("migrate_storage", f"file://{store}", f"file://{tmp_path}/new")
    assert said.splitlines() == ["copied 3", "present 0", "failed 0"]
    assert held.sha256 in content_of(f"file://{tmp_path}/new")


def test_an_invalid_store_is_refused_in_a_sentence(
    store: Path, open_tier: None, tmp_path: Path
) -> None:
    factories.published("acme/small")
    here = f"file://{store}"
    for source, target, why in (
        (here, str(tmp_path), "neither file:///"),
        ("s3://B/x", here, "neither file:///"),
        (here, here, "both stores are file://"),
        (f"file://{tmp_path}/gone", f"file://{tmp_path}/new", "mounted"),
    ):
        with pytest.raises(CommandError, match=why):
            call_command("migrate_storage", source, target)


def test_a_kill_leaves_nothing_half_and_the_next_run_does_the_rest(
    transactional_db: None, store: Path, bucket: str, manage: Manage, tmp_path: Path
) -> None:
    factories.tier("open")
    files = {f"{number}.bin": os.urandom(1 << 20) * 12 for number in range(6)}
    factories.published("acme/big", files=files)
    environment = live.environment("http://127.0.0.1:1", f"file://{store}")
    endpoint = {"S3_ENDPOINT_URL": store_at(bucket).client.meta.endpoint_url}  # type: ignore[attr-defined]
    mover = live.Portal("", environment | endpoint, tmp_path)
    running = mover.begin("migrate_storage", f"file://{store}", bucket)
    first = Blob.objects.earliest("pk").sha256
    services.wait_until(
        lambda: store_at(bucket).size(first) is not None or running.process.poll() is not None,
        "the first blob",
        pause=0.01,
    )
    assert running.kill() == -signal.SIGKILL
    arrived = len(content_of(bucket))
    assert 1 <= arrived < len(files)
    said = manage("migrate_storage", f"file://{store}", bucket)
    assert said.splitlines() == [f"copied {6 - arrived}", f"present {arrived}", "failed 0"]
    assert content_of(bucket) == content_of(f"file://{store}")
