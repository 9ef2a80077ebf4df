"""`manage.py publish` and `verify` as real processes: killed, concurrent, out of space, damage."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from celery import current_app
from django.utils import timezone
from pytest_django import Settings

from accounts.tiers.models import Tier
from portal.supervisor import quickstart
from tests.support.servers import live, services
from tests.support.servers.live import Command, Portal
from weights.catalogue.models import Checkpoint
from weights.integrity import verification, waiting
from weights.integrity.models import VerificationRun
from weights.publishing.models import File, Revision
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

SHARDS = 24
SHARD_BYTES = 1 << 20


@pytest.fixture
def command(open_tier: Tier, store: Path, settings: Settings, tmp_path: Path) -> Portal:
    """Runs manage.py against this test's database and store; no server behind it."""
    environment = live.environment("http://127.0.0.1:1", settings.WEIGHTS_STORAGE)
    return Portal("", environment, tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Some shards, different each."""
    root = tmp_path / "shards"
    root.mkdir()
    for number in range(SHARDS):
        path = root / f"checkpoint_last-model_part-0-shard{number}.pt"
        path.write_bytes(random.Random(number).randbytes(SHARD_BYTES))
    return root


def wait_for_blobs(store: Path, number: int, running: Command) -> None:
    """Return once this many blobs are in the store, or the command has ended."""
    services.wait_until(
        lambda: len(list(store.glob("*/*/*"))) >= number or running.process.poll() is not None,
        f"{number} blobs",
        pause=0.002,
    )


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


# -- publishing ---------------------------------------------------------------------------


@pytest.mark.one_database
def test_publish_prints_only_the_id_and_a_progress_bar_on_stderr(
    command: Portal, folder: Path
) -> None:
    done = command.manage("publish", str(folder), "acme/shards", "--tier", "open")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == Revision.objects.get().sha
    assert "Storing: 100%" in done.stderr
    assert "no worker is running, so verification waits" in last_line(done.stderr)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_publish_killed_repeatedly_completes_in_the_end(
    command: Portal, folder: Path, store: Path, seed: int
) -> None:
    chance = random.Random(seed)
    arguments = (str(folder), "acme/shards", "--tier", "open")
    killed = 0
    for stored in sorted(chance.sample(range(SHARDS + 1), 4)):
        running = command.begin("publish", *arguments)
        wait_for_blobs(store, stored, running)
        time.sleep(chance.uniform(0, 0.05))
        killed += running.kill() == -signal.SIGKILL
        for revision in Revision.objects.all():
            assert revision.files.count() == SHARDS
        assert Checkpoint.objects.count() == Revision.objects.count()
    assert killed, "none was killed at work"
    done = command.manage("publish", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == Revision.objects.get().sha
    assert File.objects.count() == Blob.objects.count() == SHARDS
    for blob in Blob.objects.all():
        verification.verify(blob.pk)
    assert Revision.objects.get().state == Revision.State.VISIBLE


def test_two_concurrent_publishes_of_one_folder_make_one_revision(
    command: Portal, folder: Path
) -> None:
    both = [command.begin("publish", str(folder), "acme/x", "--tier", "open") for _ in range(2)]
    answers = [running.finish() for running in both]
    assert [done.returncode for done in answers] == [0, 0], answers
    assert {done.stdout.strip() for done in answers} == {Revision.objects.get().sha}


def test_two_concurrent_publishes_of_different_folders_follow_each_other(
    command: Portal, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text("{}")
    arguments = ("acme/x", "--tier", "open")
    both = [command.begin("publish", str(one), *arguments) for one in (folder, other)]
    answers = [running.finish() for running in both]
    assert [done.returncode for done in answers] == [0, 0], answers
    first, second = Revision.objects.order_by("pk")
    assert (first.parent, second.parent) == (None, first)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["acme/x", "--tier", "nope"], "the tiers are: open"),
        (["acme--x/x", "--tier", "open"], "is not a repository name"),
        (["acme/x", "--tier", "open", "--revision", "a..b"], "not a branch or tag name"),
    ],
)
@pytest.mark.one_database
def test_a_refusal_is_one_line_on_stderr(
    command: Portal, folder: Path, arguments: list[str], words: str
) -> None:
    done = command.manage("publish", str(folder), *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting a small tmpfs is not permitted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.one_database
def test_a_full_disk_leaves_no_partial_revision_and_the_next_run_continues(
    command: Portal, folder: Path, small_disk: Path
) -> None:
    command.environment["WEIGHTS_STORAGE"] = f"file://{small_disk}"
    arguments = ("publish", str(folder), "acme/x", "--tier", "open")
    done = command.manage(*arguments)
    assert done.returncode == 1
    assert "is full; free some space" in last_line(done.stderr)
    assert not Checkpoint.objects.exists()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert command.manage(*arguments).returncode == 0
    assert Revision.objects.get().file_count == SHARDS


def peak_of(command: Portal, *arguments: str) -> int:
    """Peak memory of a command in KiB, in a separate interpreter."""
    running = subprocess.Popen(
        [sys.executable, str(live.ROOT / "manage.py"), *arguments],
        env=command.environment,
        cwd=live.ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0
    return usage.ru_maxrss


@pytest.mark.one_database
def test_memory_stays_flat_while_a_large_file_is_published(
    command: Portal, tmp_path: Path, store: Path
) -> None:
    peaks = []
    for name, size in (("small", 1 << 20), ("large", 1 << 27)):
        root = tmp_path / name
        root.mkdir()
        with (root / "model.bin").open("wb") as stream:
            stream.truncate(size)
        peaks.append(peak_of(command, "publish", str(root), f"acme/{name}", "--tier", "open"))
    assert peaks[1] - peaks[0] < 40 * 1024, f"{peaks} KiB"


# -- verifying, by a real worker ----------------------------------------------------------


def test_publish_waits_for_the_worker_and_verify_counts(
    open_tier: Tier, portal_server: Portal, folder: Path
) -> None:
    done = portal_server.manage("publish", str(folder), "acme/x", "--tier", "open", "--wait")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == Revision.objects.visible().get().sha
    checked = portal_server.manage("verify", "acme/x", "--wait")
    assert (checked.returncode, checked.stdout) == (0, f"verified {SHARDS}\n"), checked.stderr
    assert VerificationRun.objects.count() == 2 * SHARDS


@pytest.mark.one_database
def test_damage_between_intake_and_verification_is_reported_and_nothing_becomes_visible(
    open_tier: Tier, store: Path, start_portal: Callable[..., Portal], folder: Path
) -> None:
    portal = start_portal(worker=False)
    waiting = portal.begin("publish", str(folder), "acme/x", "--tier", "open", "--wait")
    services.wait_until(Revision.objects.exists, "the revision")
    bad = File.objects.get(shard=7)
    path = store / bad.sha256[:2] / bad.sha256[2:4] / bad.sha256
    path.write_bytes(b"\0" + path.read_bytes()[1:])
    portal.start("worker")
    portal.wait_for_worker()
    refused = waiting.finish()
    assert refused.returncode == 1
    assert f"acme/x/{bad.path}: its bytes in the store have SHA-256" in last_line(refused.stderr)
    assert not Revision.objects.visible().exists()
    checked = portal.manage("verify", "acme/x", "--wait")
    assert checked.returncode == 1
    assert checked.stdout == f"verified {SHARDS - 1}\nquarantined 1\n"
    assert f"acme/x/{bad.path}: its bytes in the store have SHA-256" in checked.stderr
    again = portal.manage("publish", str(folder), "acme/x", "--tier", "open", "--wait")
    assert again.returncode == 0, again.stderr
    assert again.stdout == refused.stdout


@pytest.mark.one_database
def test_a_worker_killed_in_mid_verification_is_replaced_by_the_next(
    open_tier: Tier, store: Path, start_portal: Callable[..., Portal], tmp_path: Path
) -> None:
    portal = start_portal()
    (tmp_path / "large").mkdir()
    with (tmp_path / "large" / "model.bin").open("wb") as stream:
        stream.truncate(1 << 30)
    portal.manage("publish", str(tmp_path / "large"), "acme/x", "--tier", "open")
    portal.start("worker")  # only now, or it would be done before this process looks
    services.wait_until(VerificationRun.objects.exists, "a verification", pause=0.005)
    portal.processes["worker"].send_signal(signal.SIGKILL)
    portal.kill("worker")
    assert VerificationRun.objects.get().result == VerificationRun.Result.RUNNING
    portal.start("worker")
    portal.wait_for_worker()
    # Three minutes later the lease has run out, and the sweep finds the blob due.
    past = timezone.now()
    Blob.objects.update(leased_until=past, check_due_at=past)
    verification.sweep()
    services.wait_until(Revision.objects.visible().exists, "the revision")
    results = list(VerificationRun.objects.order_by("pk").values_list("result", flat=True))
    assert results == ["abandoned", "verified"]


@pytest.mark.one_database
def test_waiting_without_a_worker_ends_with_the_reason(command: Portal, folder: Path) -> None:
    done = command.manage("publish", str(folder), "acme/x", "--tier", "open", "--wait")
    assert done.returncode == 1
    assert done.stdout.strip() == Revision.objects.get().sha
    assert "no worker is running" in last_line(done.stderr)


@pytest.mark.one_database
def test_with_a_dead_broker_publish_succeeds_and_verification_waits(
    command: Portal, folder: Path
) -> None:
    command.environment["BROKER_URL"] = "redis://127.0.0.1:1"
    done = command.manage("publish", str(folder), "acme/x", "--tier", "open")
    assert done.returncode == 0, done.stderr
    assert "the broker does not answer, so verification waits" in done.stderr
    assert Blob.objects.due_for_check(timezone.now()).count() == SHARDS


def test_a_broker_that_dies_while_workers_are_queried_counts_as_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its client reports this differently from a broker that was dead before."""

    def die(**options: object) -> None:
        raise redis.ConnectionError("Error 111 connecting to broker.sock. Connection refused.")

    # A death between two calls, which cannot be timed.
    monkeypatch.setattr(current_app.control, "ping", die)
    with pytest.raises(waiting.NoWorker, match="the broker does not answer"):
        waiting.demand_worker()
    assert not quickstart.worker_answers()
