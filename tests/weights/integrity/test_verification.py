"""Nothing is visible before every byte was read again and found correct."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import time_machine
from django.utils import timezone

from accounts.audit.models import AuditEvent
from tests.support import factories
from weights.errors import StorageUnavailable
from weights.integrity import lease, verification
from weights.integrity.models import VerificationRun
from weights.integrity.verification import check_blob, queueing
from weights.integrity.verification.outcomes import REREADS, TRIES
from weights.publishing import intake
from weights.publishing.models import Revision
from weights.storage import blob_storage, read_ahead
from weights.storage.folder_store import FileStorage
from weights.storage.models import Blob

pytestmark = pytest.mark.usefixtures("open_tier", "store")

BODY = b"weights " * 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    root.mkdir()
    (root / "config.json").write_bytes(b"{}\n")
    (root / "model.pt").write_bytes(BODY)
    return root


@pytest.fixture
def revision(folder: Path) -> Revision:
    """Stored and not verified yet."""
    return intake.publish(folder, "acme/model", tier="open", tag="v1")


@pytest.fixture
def shard(revision: Revision) -> Blob:
    return revision.files.get(path="model.pt").blob


def on_disk(blob: Blob) -> Path:
    path = blob_storage().local_path(blob.sha256)
    assert path is not None
    return path


def verify_all() -> None:
    for blob in Blob.objects.all():
        verification.verify(blob.pk)


def after(wait: timedelta) -> time_machine.travel:
    """Inside it this much time has gone by."""
    return time_machine.travel(timezone.now() + wait)


# -- becoming visible ---------------------------------------------------------------------


def test_a_revision_is_visible_once_all_its_blobs_are_verified(revision: Revision) -> None:
    first, second = Blob.objects.all()
    verification.verify(first.pk)
    revision.refresh_from_db()
    assert revision.state == Revision.State.PENDING
    assert not revision.checkpoint.refs.exists()
    verification.verify(second.pk)
    revision.refresh_from_db()
    assert revision.state == Revision.State.VISIBLE
    assert {ref.name for ref in revision.checkpoint.refs.all()} == {"main", "v1"}
    revision.checkpoint.refresh_from_db()
    assert revision.checkpoint.published_at is not None
    assert AuditEvent.objects.filter(action="revision.visible").count() == 1


def test_a_run_records_what_was_read_by_whom(shard: Blob) -> None:
    verification.verify(shard.pk, worker="celery@test")
    run = shard.runs.get()
    assert (run.result, run.bytes_read, run.worker) == ("verified", len(BODY), "celery@test")
    assert run.found_sha256 == shard.sha256
    assert AuditEvent.objects.about(shard).get().action == "blob.verified"


def test_verifying_twice_reads_once(shard: Blob) -> None:
    verification.verify(shard.pk)
    verification.verify(shard.pk)
    assert shard.runs.count() == 1


def test_a_fresh_check_reads_again_and_the_file_stays_served_meanwhile(shard: Blob) -> None:
    verification.verify(shard.pk)
    verification.recheck(Blob.objects.filter(pk=shard.pk))
    shard.refresh_from_db()
    assert shard.state == Blob.State.VERIFIED
    verification.verify(shard.pk)
    assert shard.runs.count() == 2


def test_the_older_of_two_revisions_never_takes_the_branch_back(
    revision: Revision, folder: Path
) -> None:
    (folder / "model.pt").unlink()
    newer = intake.publish(folder, "acme/model", tier="open")
    for file in newer.files.all():
        verification.verify(file.blob_id)
    assert revision.checkpoint.refs.get(name="main").revision == newer
    verify_all()
    revision.refresh_from_db()
    assert revision.state == Revision.State.VISIBLE
    assert revision.checkpoint.refs.get(name="main").revision == newer


# -- bad bytes ----------------------------------------------------------------------------


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


@pytest.mark.requirement("ST-4")
@pytest.mark.parametrize(
    ("damage", "result", "words"),
    [
        (flip, "mismatch", "have SHA-256"),
        (cut, "mismatch", "it has 7999 bytes in the store instead of 8000"),
        (grow, "mismatch", "it has 8001 bytes"),
        (Path.unlink, "missing", "the store does not have it"),
    ],
)
def test_a_damaged_blob_is_quarantined_and_its_revision_stays_invisible(
    revision: Revision, shard: Blob, damage: object, result: str, words: str
) -> None:
    assert callable(damage)
    damage(on_disk(shard))
    verify_all()
    shard.refresh_from_db()
    revision.refresh_from_db()
    assert shard.state == Blob.State.QUARANTINED
    assert words in shard.quarantine_reason
    assert shard.runs.get().result == result
    assert revision.state == Revision.State.FAILED
    assert revision.state_reason.startswith("model.pt: ")
    assert not revision.checkpoint.refs.exists()
    actions = AuditEvent.objects.filter(result="failed").values_list("action", flat=True)
    assert set(actions) == {"blob.quarantined", "revision.failed"}


def test_publishing_a_good_copy_again_heals_the_same_revision(
    revision: Revision, shard: Blob, folder: Path
) -> None:
    flip(on_disk(shard))
    verify_all()
    assert intake.publish(folder, "acme/model", tier="open") == revision
    assert AuditEvent.objects.about(shard).filter(action="blob.replaced").count() == 1
    verify_all()
    revision.refresh_from_db()
    assert (revision.state, revision.state_reason) == (Revision.State.VISIBLE, "")
    assert on_disk(shard).read_bytes() == BODY


def test_a_blob_repaired_by_an_operator_makes_its_failed_revision_visible(
    revision: Revision, shard: Blob
) -> None:
    good = on_disk(shard).read_bytes()
    flip(on_disk(shard))
    verify_all()
    on_disk(shard).write_bytes(good)
    verification.recheck(Blob.objects.filter(pk=shard.pk))
    verify_all()
    revision.refresh_from_db()
    assert revision.state == Revision.State.VISIBLE


def test_damage_found_later_quarantines_the_file_and_keeps_the_revision(
    revision: Revision, shard: Blob
) -> None:
    verify_all()
    flip(on_disk(shard))
    verification.recheck(Blob.objects.all())
    for _ in range(1 + REREADS):
        verify_all()
    shard.refresh_from_db()
    revision.refresh_from_db()
    assert shard.state == Blob.State.QUARANTINED
    assert revision.state == Revision.State.VISIBLE


# -- workers that die, stores that don't answer -------------------------------------------


def test_a_blob_under_lease_is_left_to_its_worker(shard: Blob) -> None:
    Blob.objects.filter(pk=shard.pk).update(leased_until=timezone.now() + lease.LENGTH)
    verification.verify(shard.pk)
    assert not shard.runs.exists()
    assert shard not in Blob.objects.due_for_check(timezone.now())


@pytest.mark.requirement("CE-3")
def test_a_blob_of_a_dead_worker_is_taken_over_when_its_lease_has_run_out(shard: Blob) -> None:
    dead = VerificationRun.objects.create(blob=shard, worker="dead")
    Blob.objects.filter(pk=shard.pk).update(
        leased_until=timezone.now() + lease.LENGTH, state=Blob.State.HASHING
    )
    with after(lease.LENGTH + timedelta(minutes=10)):
        assert shard in Blob.objects.due_for_check(timezone.now())
        verification.verify(shard.pk)
    dead.refresh_from_db()
    shard.refresh_from_db()
    assert dead.result == VerificationRun.Result.ABANDONED
    assert shard.state == Blob.State.VERIFIED


@pytest.mark.requirement("CE-3")
def test_the_result_of_a_worker_that_lost_its_lease_does_not_count(
    revision: Revision, shard: Blob, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = FileStorage.open

    def slow(self: FileStorage, sha256: str, **where: Any) -> BinaryIO:
        Blob.objects.filter(sha256=sha256).update(leased_until=timezone.now() + 2 * lease.LENGTH)
        return read(self, sha256, **where)

    flip(on_disk(shard))
    # The real file is still read; another worker takes the lease just before it.
    monkeypatch.setattr(FileStorage, "open", slow)
    verification.verify(shard.pk)
    shard.refresh_from_db()
    assert shard.state == Blob.State.HASHING
    assert shard.runs.get().result == VerificationRun.Result.ABANDONED


def test_a_long_read_renews_its_lease_and_shows_how_far_it_is(
    shard: Blob, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Bounds made small: a sign of life at each buffer, of which there are several.
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.0)
    monkeypatch.setattr(read_ahead, "BUFFER", 1000)
    seen: list[int] = []
    save = VerificationRun.save

    def watch(self: VerificationRun, *args: object, **kwargs: object) -> None:
        if self.pk:
            seen.append(VerificationRun.objects.get(pk=self.pk).bytes_read)
        save(self, *args, **kwargs)  # type: ignore[arg-type]

    # The real save still saves; what others see is noted first.
    monkeypatch.setattr(VerificationRun, "save", watch)
    verification.verify(shard.pk)
    shard.refresh_from_db()
    assert seen == [len(BODY)]
    assert shard.state == Blob.State.VERIFIED


@pytest.fixture
def _dead_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(self: FileStorage, sha256: str, **where: Any) -> BinaryIO:
        raise StorageUnavailable("the store does not answer")

    with monkeypatch.context() as patch:
        # This store answers at once; tests/weights/storage/test_bad_store.py waits for a real one.
        patch.setattr(FileStorage, "open", refuse)
        yield


@pytest.mark.usefixtures("_dead_store")
def test_an_unreadable_store_is_tried_again_later_and_quarantines_nothing(
    revision: Revision, shard: Blob
) -> None:
    verification.verify(shard.pk)
    shard.refresh_from_db()
    assert shard.state == Blob.State.HASHING
    assert shard.runs.get().result == VerificationRun.Result.UNREADABLE
    assert shard not in Blob.objects.due_for_check(timezone.now())
    with after(timedelta(seconds=30)):
        assert shard in Blob.objects.due_for_check(timezone.now())


@pytest.mark.requirement("CE-5")
@pytest.mark.usefixtures("_dead_store")
def test_after_eight_tries_the_revision_shows_why_it_is_not_visible(
    revision: Revision, shard: Blob
) -> None:
    for _ in range(TRIES):
        verification.verify(shard.pk)
    revision.refresh_from_db()
    shard.refresh_from_db()
    assert revision.state == Revision.State.FAILED
    assert "could not be read" in revision.state_reason
    assert shard.check_due_at is not None  # the sweep keeps retrying
    assert verification.progress_of_revisions([revision]).counts["unreadable"] == 1


def test_a_damaged_file_of_several_revisions_is_listed_once() -> None:
    files = {"model.pt": BODY}
    first = factories.published("acme/model", files=files)
    second = factories.published("acme/model", files={**files, "new.txt": b"new"})
    first.files.get().blob.transition("quarantine", quarantine_reason="it is damaged")
    progress = verification.progress_of_revisions([first, second])
    assert progress.failures == [("acme/model/model.pt", "it is damaged")]


@pytest.mark.requirement("CE-5")
def test_a_blob_whose_checks_kill_their_workers_is_reported_and_retried_hourly(
    revision: Revision, shard: Blob
) -> None:
    class Killed(BaseException):
        """A kill leaves nothing to catch."""

    def kill(count: int) -> None:
        raise Killed

    for _ in range(TRIES + 1):
        with pytest.raises(Killed):
            verification.verify(shard.pk, pace=kill)
        Blob.objects.filter(pk=shard.pk).update(leased_until=None)
    revision.refresh_from_db()
    assert revision.state == Revision.State.FAILED
    assert "checks end without a result" in revision.state_reason
    assert shard not in Blob.objects.due_for_check(timezone.now())
    with after(timedelta(minutes=61)):
        assert shard in Blob.objects.due_for_check(timezone.now())
        verification.verify(shard.pk)
    revision.refresh_from_db()
    shard.refresh_from_db()
    assert (shard.state, shard.check_due_at) == (Blob.State.VERIFIED, None)


# -- the sweep ----------------------------------------------------------------------------


def test_the_sweep_queues_what_is_due_largest_first_and_only_once(
    revision: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []

    def send(task: str, *blob_ids: int) -> bool:
        sent.extend(blob_ids)
        return True

    # The test checks the queued messages; no worker runs that would consume them.
    monkeypatch.setattr(queueing, "queue_now", send)
    verification.sweep()
    verification.sweep()
    sizes = [Blob.objects.get(pk=pk).size for pk in sent]
    assert sizes == [8000, 3]


def test_with_a_dead_broker_the_sweep_stops_and_work_stays_due(
    revision: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[tuple[int, ...]] = []

    def fail(task: str, *blob_ids: int) -> bool:
        tried.append(blob_ids)
        return False

    # As a dead broker has it, without its seconds of waiting.
    monkeypatch.setattr(queueing, "queue_now", fail)
    verification.sweep()
    assert len(tried) == 1
    assert Blob.objects.due_for_check(timezone.now()).count() == 2


def test_the_sweep_settles_a_revision_that_a_crash_left_complete(
    revision: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        # A kill between the last check and what it settles.
        patch.setattr(check_blob, "settle_each", lambda revisions: None)
        verify_all()
    revision.refresh_from_db()
    assert revision.state == Revision.State.PENDING
    verification.sweep()
    revision.refresh_from_db()
    assert revision.state == Revision.State.VISIBLE


def test_a_failed_revision_counts_until_a_later_one_takes_its_place(
    revision: Revision, shard: Blob, folder: Path
) -> None:
    flip(on_disk(shard))
    verify_all()
    assert list(verification.revisions_to_verify(None)) == [revision]
    (folder / "model.pt").unlink()
    newer = intake.publish(folder, "acme/model", tier="open")
    assert list(verification.revisions_to_verify(newer.checkpoint)) == [newer]
    other = factories.published("acme/other")
    assert other not in verification.revisions_to_verify(newer.checkpoint)
