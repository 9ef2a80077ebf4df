"""`manage.py migrate_storage`: from files to a real S3 store and back."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from tests import factories, live, s3, services
from tests.live import ROOT
from weights.models import Blob
from weights.storage import store_at

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
    assert said.splitlines() == ["copied 2", "present 2", "failed 0"]
    assert content_of(f"file://{target}") == content_of(f"file://{store}")


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
    assert said.splitlines()[-1] == "quarantined 1 (left where they are)"
    assert len(content_of(f"file://{tmp_path}/new")) == 2


def test_what_is_no_store_is_refused_in_a_sentence(
    store: Path, open_tier: None, tmp_path: Path
) -> None:
    factories.published("acme/small")
    here = f"file://{store}"
    for source, target, why in (
        (here, str(tmp_path), "neither file:///"),
        ("s3://B/x", here, "neither file:///"),
        (here, here, "both are file://"),
        (f"file://{tmp_path}/gone", f"file://{tmp_path}/new", "mounted"),
    ):
        with pytest.raises(CommandError, match=why):
            call_command("migrate_storage", source, target)


def test_a_kill_leaves_nothing_half_and_the_next_run_does_the_rest(
    transactional_db: None, store: Path, bucket: str, manage: Manage
) -> None:
    factories.tier("open")
    files = {f"{number}.bin": os.urandom(1 << 20) * 12 for number in range(6)}
    factories.published("acme/big", files=files)
    arguments = [sys.executable, "manage.py", "migrate_storage", f"file://{store}", bucket]
    environment = live.environment("http://127.0.0.1:1", f"file://{store}")
    running = subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=environment | {"S3_ENDPOINT_URL": store_at(bucket).client.meta.endpoint_url},  # type: ignore[attr-defined]
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    first = Blob.objects.order_by("pk").first()
    assert first is not None
    services.wait_until(
        lambda: store_at(bucket).size(first.sha256) is not None or running.poll() is not None,
        "the first blob",
        pause=0.01,
    )
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    arrived = len(content_of(bucket))
    assert 1 <= arrived < len(files)
    said = manage("migrate_storage", f"file://{store}", bucket)
    assert said.splitlines() == [f"copied {6 - arrived}", f"present {arrived}", "failed 0"]
    assert content_of(bucket) == content_of(f"file://{store}")
