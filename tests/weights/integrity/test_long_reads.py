"""A check reads a blob of any size in one pass; a stopped or killed check starts over."""

import hashlib
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from celery.signals import worker_shutting_down
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests.support import factories
from tests.support.servers import live, services
from tests.support.servers.live import Portal
from weights import tasks
from weights.integrity import lease, scrub, shutdown, verification
from weights.integrity.models import ScrubTurn, VerificationRun
from weights.integrity.scrub import store_survey, turns
from weights.integrity.verification import hash_blob
from weights.storage import blob_storage
from weights.storage.models import Blob
from weights.storage.read_ahead import BUFFER, BUFFERS, blocks_of, read_ahead

pytestmark = pytest.mark.django_db

MB = 1024**2
Result = VerificationRun.Result
#: Seconds that a supervisor waits for a worker to end before killing it.
GRACE = 8.0


@pytest.fixture
def _stopping() -> Iterator[None]:
    """Reset the stop request of this process afterwards."""
    yield
    shutdown._requested.clear()


@pytest.fixture
def _one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    # time-machine moves the clock of the wall alone.
    monkeypatch.setattr(time, "monotonic", lambda: time.time())


def stored(content: bytes) -> Blob:
    sha256 = hashlib.sha256(content).hexdigest()
    with blob_storage().receive() as upload:
        upload.write(content)
        upload.commit(sha256)
    return Blob.objects.create(sha256=sha256, size=len(content))


def verified(content: bytes) -> Blob:
    blob = stored(content)
    verification.verify(blob.pk)
    blob.refresh_from_db()
    assert blob.state == Blob.State.VERIFIED
    return blob


def results(blob: Blob) -> list[str]:
    return list(blob.runs.order_by("pk").values_list("result", flat=True))


def stop() -> None:
    """What Celery sends when a worker begins its warm shutdown."""
    worker_shutting_down.send(sender="worker", sig="SIGTERM", how="Warm", exitcode=0)


def test_a_stream_is_read_ahead_in_order_and_its_errors_are_raised(tmp_path: Path) -> None:
    content = os.urandom(1_000_003)
    (tmp_path / "file").write_bytes(content)
    with (tmp_path / "file").open("rb", buffering=0) as stream, read_ahead(stream, 4096) as blocks:
        assert b"".join(map(bytes, blocks)) == content

    class Broken:
        def readinto(self, buffer: memoryview, /) -> int:
            raise OSError("the disk is gone")

    with read_ahead(Broken()) as blocks, pytest.raises(OSError, match="the disk is gone"):
        next(blocks)


def test_only_uncached_bytes_are_read_by_a_separate_thread(tmp_path: Path) -> None:
    class Opened(io.BytesIO):
        is_cached = True

    def readers(stream: Opened, size: int) -> int:
        before = threading.active_count()
        with blocks_of(stream, size) as blocks:
            next(blocks)
            return threading.active_count() - before

    large = bytes(2 * BUFFER * BUFFERS)
    assert readers(Opened(large), len(large)) == 0
    Opened.is_cached = False
    assert readers(Opened(large), len(large)) == 1
    assert readers(Opened(large), BUFFER) == 0


# -- one read, one worker -----------------------------------------------------------------


@pytest.mark.usefixtures("store")
@pytest.mark.requirement("CE-2", "CE-3")
def test_a_task_that_is_delivered_again_during_a_read_leaves_the_blob_to_its_reader() -> None:
    blob = stored(os.urandom(3 * BUFFER))
    redelivered = 0

    def pace(count: int) -> None:
        nonlocal redelivered
        redelivered += 1
        tasks.verify_blob(blob.pk)

    verification.verify(blob.pk, pace=pace)
    assert redelivered > 2
    assert results(blob) == [Result.VERIFIED]
    blob.refresh_from_db()
    assert (blob.state, blob.attempts, blob.leased_until) == (Blob.State.VERIFIED, 0, None)
    tasks.verify_blob(blob.pk)  # and once more when all is done
    assert results(blob) == [Result.VERIFIED]


@pytest.mark.usefixtures("store", "_one_clock")
@pytest.mark.requirement("CE-2", "ST-7")
def test_a_scrub_that_outlasts_the_visibility_timeout_is_read_once_at_its_pace(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A survey would be a second step of the turn.
    monkeypatch.setattr(store_survey, "is_due", lambda now: False)
    # Each sleep is as long as one of a real read, of fewer bytes.
    monkeypatch.setattr(hash_blob, "PACED_BYTES", 20)
    settings.SCRUB_BYTES_PER_SECOND = 2
    timeout = settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]
    blob = verified(b"weights " * 1000)
    with time_machine.travel(timezone.now() + timedelta(days=40)) as clock:
        began = time.monotonic()
        restored = False

        def sleep(seconds: float) -> None:
            nonlocal restored
            clock.shift(seconds)
            if time.monotonic() - began > timeout and not restored:
                restored = True  # the broker hands the task to a second worker
                tasks.take_scrub_turn()
                tasks.verify_blob(blob.pk)

        with turns.taken(1, sleep) as turn:
            assert turn is not None
            assert scrub.read(blob, turn.passed)
            assert not turn.lost
        assert restored
        assert time.monotonic() - began > blob.size / settings.SCRUB_BYTES_PER_SECOND - 20
    assert results(blob) == [Result.VERIFIED, Result.VERIFIED]
    assert not ScrubTurn.objects.exclude(leased_until=None).exists()


# -- stopped ------------------------------------------------------------------------------


@pytest.mark.usefixtures("store", "_stopping")
@pytest.mark.requirement("ST-5")
def test_a_worker_that_shuts_down_stops_at_a_block_and_the_check_starts_over() -> None:
    blob = stored(os.urandom(4 * BUFFER))
    read = 0

    def pace(count: int) -> None:
        nonlocal read
        read += count
        stop()

    verification.verify(blob.pk, pace=pace)
    assert read <= BUFFER
    assert results(blob) == [Result.ABANDONED]
    blob.refresh_from_db()
    assert (blob.state, blob.attempts, blob.leased_until) == (Blob.State.HASHING, 0, None)
    assert blob in Blob.objects.due_for_check(timezone.now())
    shutdown._requested.clear()
    verification.verify(blob.pk)
    run = blob.runs.latest("pk")
    assert (run.result, run.bytes_read) == (Result.VERIFIED, blob.size)


@pytest.mark.one_database
@pytest.mark.requirement("ST-5")
def test_a_real_worker_ends_in_time_while_it_reads_a_terabyte(
    transactional_db: None, store: Path, tmp_path: Path
) -> None:
    blob = Blob.objects.create(sha256="a" * 64, size=1024 * 1024 * MB)
    empty(blob)
    worker = Portal("", live.environment("http://127.0.0.1:1", f"file://{store}"), tmp_path)
    worker.start("worker")
    try:
        worker.wait_for_worker()
        verification.queue(Blob.objects.all())
        reading = blob.runs.filter(result=Result.RUNNING, bytes_read__gt=0)
        services.wait_until(reading.exists, "the first renewal of the lease")
        asked = timezone.now()
        worker.processes["worker"].send_signal(signal.SIGTERM)
        assert worker.processes["worker"].wait(60) == 0
    finally:
        worker.kill("worker")
    run = blob.runs.get()
    assert run.result == Result.ABANDONED
    assert run.finished_at is not None
    assert (run.finished_at - asked).total_seconds() < GRACE
    blob.refresh_from_db()
    assert (blob.leased_until, blob.state, blob.attempts) == (None, Blob.State.HASHING, 0)


@pytest.mark.usefixtures("store", "_stopping")
def test_a_scrub_that_is_stopped_begins_anew_in_a_later_turn_and_not_at_full_speed() -> None:
    blob = verified(os.urandom(4 * BUFFER))
    assert scrub.read(blob, lambda count: stop())
    blob.refresh_from_db()
    assert (blob.state, blob.check_due_at) == (Blob.State.VERIFIED, None)
    assert results(blob) == [Result.VERIFIED, Result.ABANDONED]


@pytest.mark.usefixtures("_stopping")
def test_a_paced_sleep_ends_with_the_request_to_stop() -> None:
    timer = threading.Timer(0.2, stop)
    timer.start()
    began = time.monotonic()
    shutdown.sleep(60)
    assert time.monotonic() - began < GRACE


@pytest.mark.usefixtures("store", "_one_clock")
@pytest.mark.parametrize("lost", ["blob", "turn"])
def test_a_lost_lease_ends_a_paced_read_in_time(lost: str, settings: Settings) -> None:
    """At the slowest rate that the settings allow, by the seconds that it would sleep."""
    settings.SCRUB_BYTES_PER_SECOND, settings.SCRUB_AT_ONCE = 1_000_000, 16
    blob = verified(os.urandom(4 * BUFFER))
    with time_machine.travel(timezone.now()) as clock:
        began = time.monotonic()

        def sleep(seconds: float) -> None:
            clock.shift(seconds)
            rows = Blob.objects if lost == "blob" else ScrubTurn.objects
            rows.update(leased_until=timezone.now() + lease.LENGTH)

        with turns.taken(1, sleep) as turn:
            assert turn is not None
            assert scrub.read(blob, turn.passed)
        assert time.monotonic() - began < GRACE
    assert results(blob) == [Result.VERIFIED, Result.ABANDONED]


@pytest.mark.usefixtures("store")
def test_progress_counts_the_bytes_that_were_read() -> None:
    blob = stored(bytes(20 * MB))
    VerificationRun.objects.create(blob=blob, bytes_read=10 * MB)
    progress = verification.progress_of(blob)
    assert progress is not None
    assert (progress.done, progress.all, progress.percent) == (10 * MB, 20 * MB, 50)


def test_the_file_page_shows_how_far_a_check_is(client: Client, store: Path) -> None:
    revision = factories.published("acme/model", files={"model.pt": bytes(MB)})
    blob = revision.files.get().blob
    page = "/acme/model/blob/main/model.pt"
    assert "<progress" not in client.get(page).content.decode()
    run = VerificationRun.objects.create(blob=blob, bytes_read=MB // 2)
    assert "50%</progress>" in "".join(client.get(page).content.decode().split())
    VerificationRun.objects.filter(pk=run.pk).update(result=Result.VERIFIED)
    assert "<progress" not in client.get(page).content.decode()


# -- kill -9 ------------------------------------------------------------------------------


def sparse(store: Path, size: int) -> Blob:
    """A blob of zeros that takes no room."""
    digest, zeros = hashlib.sha256(), bytes(MB)
    for _ in range(size // MB):
        digest.update(zeros)
    blob = Blob.objects.create(sha256=digest.hexdigest(), size=size)
    empty(blob)
    return blob


def empty(blob: Blob) -> None:
    """Store a sparse file of zeros under the blob's name."""
    path = blob_storage().local_path(blob.sha256)
    assert path is not None
    path.parent.mkdir(parents=True)
    path.touch()
    os.truncate(path, blob.size)


@pytest.mark.django_db(transaction=True)
@pytest.mark.requirement("ST-5")
def test_a_check_that_is_killed_starts_over(store: Path, tmp_path: Path) -> None:
    blob = sparse(store, 64 * MB)
    kill_after(32 * MB, blob, tmp_path / "there")
    verification.verify(blob.pk)
    assert results(blob) == [Result.RUNNING]  # its lease lasts for a while
    Blob.objects.update(leased_until=None)  # as if it had run out
    verification.verify(blob.pk)
    assert results(blob) == [Result.ABANDONED, Result.VERIFIED]
    assert blob.runs.latest("pk").bytes_read == blob.size


def kill_after(size: int, blob: Blob, flag: Path) -> None:
    """Kill -9 a worker once it has hashed this many bytes."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            verification.verify(blob.pk, pace=_stops_after(size, flag))
        finally:
            os._exit(1)
    until(flag.exists)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _stops_after(size: int, flag: Path) -> Callable[[int], None]:
    done = 0

    def pace(count: int) -> None:
        nonlocal done
        done += count
        if done >= size:
            flag.touch()
            time.sleep(60)

    return pace


def until(happened: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < ends, "it never happened"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's counters are Linux's")
def test_memory_stays_flat_however_large_the_blob(store: Path) -> None:
    small, large = sparse(store, 8 * MB), sparse(store, 384 * MB)
    verification.verify(small.pk)
    before = _peak()
    verification.verify(large.pk)
    assert _peak() - before < 16 * MB


def _peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
