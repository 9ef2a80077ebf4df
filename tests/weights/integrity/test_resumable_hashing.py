"""A killed worker costs a gigabyte of reading at most, and a step ends in time."""

import hashlib
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests.support import factories
from tests.support.damage import flip_unseen
from weights.integrity import resumable_sha256, verification
from weights.integrity.models import HashProgress, VerificationRun
from weights.integrity.resumable_sha256 import ResumableSha256
from weights.integrity.scrub import reading as scrub_reading
from weights.integrity.verification import hashing
from weights.integrity.verification.outcomes import REREADS
from weights.integrity.verification.reading import BEGUN_AGAIN
from weights.storage import blob_storage
from weights.storage.models import Blob
from weights.storage.read_ahead import BUFFER, BUFFERS, blocks_of, read_ahead

pytestmark = pytest.mark.django_db

MB = 1024**2
Result = VerificationRun.Result
needs_state = pytest.mark.skipif(not resumable_sha256.layout(), reason="no libcrypto that fits")


@pytest.fixture
def save_often(monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes after which a state is kept in these tests; a gigabyte in earnest."""
    # A bound made small: a gigabyte in earnest.
    monkeypatch.setattr(hashing, "SAVED_EACH", 8 * MB)
    return 8 * MB


def stored(content: bytes) -> Blob:
    sha256 = hashlib.sha256(content).hexdigest()
    with blob_storage().receive() as upload:
        upload.write(content)
        upload.commit(sha256)
    return Blob.objects.create(sha256=sha256, size=len(content))


def broken_off(blob: Blob, after: int) -> None:
    """Let a worker read so many bytes and then lose everything, its lease too."""

    class Killed(BaseException):
        """A kill leaves nothing to catch."""

    read = 0

    def pace(count: int) -> None:
        nonlocal read
        read += count
        if read >= after:
            raise Killed

    with pytest.raises(Killed):
        verification.verify(blob.pk, pace=pace)
    Blob.objects.update(leased_until=None)


def finished(blob: Blob) -> VerificationRun:
    verification.verify(blob.pk)
    return blob.runs.order_by("-pk")[0]


# -- the state ----------------------------------------------------------------------------


@needs_state
@pytest.mark.parametrize("cut", [0, 1, 63, 64, 65, 4096, 99_999])
def test_a_digest_goes_on_from_a_state_as_if_nothing_had_happened(cut: int) -> None:
    content = bytearray(os.urandom(100_000))
    first = ResumableSha256()
    first.update(memoryview(content)[:cut])
    second = ResumableSha256(first.save())
    second.update(memoryview(content)[cut:])
    assert len(first.save()) == resumable_sha256.STATE_SIZE
    assert second.hexdigest() == hashlib.sha256(content).hexdigest()
    assert first.hexdigest() == hashlib.sha256(content[:cut]).hexdigest()


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


def test_only_what_is_not_at_hand_is_read_by_a_thread_of_its_own(tmp_path: Path) -> None:
    class Opened(io.BytesIO):
        is_at_hand = True

    def readers(stream: Opened, size: int) -> int:
        before = threading.active_count()
        with blocks_of(stream, size) as blocks:
            next(blocks)
            return threading.active_count() - before

    large = bytes(2 * BUFFER * BUFFERS)
    assert readers(Opened(large), len(large)) == 0
    Opened.is_at_hand = False
    assert readers(Opened(large), len(large)) == 1
    assert readers(Opened(large), BUFFER) == 0


# -- going on -----------------------------------------------------------------------------


@needs_state
@pytest.mark.parametrize("kind", ["files", "s3"])
@pytest.mark.requirement("ST-5")
def test_the_next_worker_goes_on_where_the_state_was_kept(
    request: pytest.FixtureRequest, save_often: int, kind: str
) -> None:
    request.getfixturevalue("store" if kind == "files" else "s3_store")
    blob = stored(os.urandom(20 * MB + 7))
    broken_off(blob, 19 * MB)
    run = finished(blob)
    assert (run.result, run.started_from) == (Result.VERIFIED, 2 * save_often)
    assert run.started_from + run.bytes_read == blob.size
    assert not HashProgress.objects.exists()
    blob.refresh_from_db()
    assert blob.state == Blob.State.VERIFIED


@needs_state
@pytest.mark.usefixtures("store", "save_often")
def test_a_step_whose_time_is_up_hands_on_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    # A bound made small: every buffer is a step, eight minutes in earnest.
    monkeypatch.setattr(hashing, "STEP_SECONDS", 0.0)
    blob = stored(os.urandom(5 * BUFFER // 2))
    for _ in range(3):
        verification.verify(blob.pk)
    told = blob.runs.order_by("pk").values_list("result", "started_from", "bytes_read")
    steps = [0, BUFFER, 2 * BUFFER, blob.size]
    results = [Result.HANDED_ON, Result.HANDED_ON, Result.VERIFIED]
    assert list(told) == [
        (result, start, end - start)
        for result, start, end in zip(results, steps, steps[1:], strict=False)
    ]
    blob.refresh_from_db()
    assert (blob.state, blob.attempts) == (Blob.State.VERIFIED, 0)


@needs_state
@pytest.mark.usefixtures("store", "save_often")
def test_a_paced_reading_goes_on_in_the_next_turn_and_not_at_full_speed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blob = stored(os.urandom(5 * BUFFER // 2))
    verification.verify(blob.pk)
    # A bound made small, once the first check is over.
    monkeypatch.setattr(hashing, "STEP_SECONDS", 0.0)
    paced: list[int] = []
    for turn in range(3):
        assert scrub_reading.read(blob, paced.append)
        blob.refresh_from_db()
        assert (blob.state, blob.check_due_at) == (Blob.State.VERIFIED, None)
        assert blob.runs.filter(result=Result.HANDED_ON).count() == min(turn + 1, 2)
    assert sum(paced) == blob.size
    assert blob.runs.filter(result=Result.VERIFIED).count() == 2
    assert scrub_reading.read(blob, paced.append, steps=False)
    assert sum(paced) == 2 * blob.size


@pytest.mark.usefixtures("store", "save_often")
@pytest.mark.parametrize("why", ["written to", "another library", "asked for afresh", "no library"])
def test_a_state_that_no_longer_fits_is_not_used(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = stored(os.urandom(20 * MB))
    broken_off(blob, 19 * MB)
    if why == "written to":
        path = blob_storage().local_path(blob.sha256)
        assert path is not None
        os.utime(path)
    elif why == "another library":
        HashProgress.objects.update(layout="another")
    elif why == "asked for afresh":
        verification.ask_again(Blob.objects.all())
    else:
        # A Python whose libcrypto is not to be found.
        monkeypatch.setattr(resumable_sha256, "_library", lambda: None)
    run = finished(blob)
    assert (run.result, run.started_from, run.bytes_read) == (Result.VERIFIED, 0, blob.size)


@needs_state
@pytest.mark.usefixtures("store", "save_often")
def test_a_damaged_state_costs_a_second_pass_and_no_quarantine() -> None:
    blob = stored(os.urandom(20 * MB))
    broken_off(blob, 19 * MB)
    HashProgress.objects.update(state=bytes(resumable_sha256.STATE_SIZE))
    assert finished(blob).result == Result.HANDED_ON
    run = finished(blob)
    assert (run.result, run.started_from) == (Result.VERIFIED, 0)


@needs_state
@pytest.mark.requirement("ST-8")
@pytest.mark.usefixtures("store", "save_often")
def test_damage_is_found_however_many_steps_a_reading_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blob = stored(os.urandom(5 * BUFFER // 2))
    verification.verify(blob.pk)
    flip_unseen(blob)
    # A bound made small: every buffer is a step, eight minutes in earnest.
    monkeypatch.setattr(hashing, "STEP_SECONDS", 0.0)
    Blob.objects.update(check_due_at=timezone.now())
    for _ in range(6 * (1 + REREADS)):
        verification.verify(blob.pk)
    blob.refresh_from_db()
    assert blob.state == Blob.State.QUARANTINED
    # Each time from the start once more, lest it was the saved state that was wrong.
    assert blob.runs.filter(detail=BEGUN_AGAIN).count() == 1 + REREADS
    assert blob.runs.filter(result=Result.MISMATCH).count() == 1 + REREADS


@pytest.mark.usefixtures("store", "save_often")
def test_how_far_it_is_counts_what_earlier_steps_read() -> None:
    blob = stored(os.urandom(20 * MB))
    VerificationRun.objects.create(blob=blob, started_from=8 * MB, bytes_read=2 * MB)
    progress = verification.progress_of(blob)
    assert progress is not None
    assert (progress.done, progress.all, progress.percent) == (10 * MB, 20 * MB, 50)


def test_the_file_page_shows_how_far_a_check_is(client: Client, store: Path) -> None:
    revision = factories.published("acme/model", files={"model.pt": bytes(MB)})
    blob = revision.files.get().blob
    page = "/acme/model/blob/main/model.pt"
    assert "<progress" not in client.get(page).content.decode()
    run = VerificationRun.objects.create(blob=blob, started_from=MB // 4, bytes_read=MB // 4)
    assert "50 %</progress>" in client.get(page).content.decode()
    VerificationRun.objects.filter(pk=run.pk).update(result=Result.VERIFIED)
    assert "<progress" not in client.get(page).content.decode()


# -- kill -9 ------------------------------------------------------------------------------


def sparse(store: Path, size: int) -> Blob:
    """A blob of zeros that takes no room."""
    digest, zeros = hashlib.sha256(), bytes(MB)
    for _ in range(size // MB):
        digest.update(zeros)
    sha256 = digest.hexdigest()
    path = blob_storage().local_path(sha256)
    assert path is not None
    path.parent.mkdir(parents=True)
    path.touch()
    os.truncate(path, size)
    return Blob.objects.create(sha256=sha256, size=size)


def bytes_read(process: int | str) -> int:
    """Bytes that a process read by any call, as the kernel counts them."""
    lines = Path(f"/proc/{process}/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])


@needs_state
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's counters are Linux's")
@pytest.mark.django_db(transaction=True)
@pytest.mark.requirement("ST-5")
def test_in_st_after_kill_9_at_most_one_step_is_read_again(
    store: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = 64 * MB
    # A bound made small: a gigabyte in earnest.
    monkeypatch.setattr(hashing, "SAVED_EACH", step)
    blob = sparse(store, 512 * MB)
    first = killed_after(300 * MB, blob, tmp_path / "there")
    Blob.objects.update(leased_until=None)  # as if it had run out
    before = bytes_read("self")
    run = finished(blob)
    second = bytes_read("self") - before
    assert (run.result, run.started_from) == (Result.VERIFIED, 256 * MB)
    # The kernel's count of both, and the buffers that were read ahead and never used.
    assert first + second - blob.size <= step + BUFFERS * BUFFER + MB
    assert first >= 300 * MB


def killed_after(size: int, blob: Blob, flag: Path) -> int:
    """Kill -9 a worker once it has hashed so much; how much it had read."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            verification.verify(blob.pk, pace=_stops_after(size, flag))
        finally:
            os._exit(1)
    until(flag.exists)
    read = bytes_read(child)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return read


def _stops_after(size: int, flag: Path) -> Callable[[int], None]:
    done = 0

    def pace(count: int) -> None:
        nonlocal done
        done += count
        if done >= size:
            time.sleep(0.2)  # let the reader fill its buffers
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
