"""Small new blobs are checked together, each as strictly as alone."""

from pathlib import Path
from typing import Any, BinaryIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit.models import AuditEvent
from tests.support import factories
from weights import tasks
from weights.integrity import lease, shutdown, verification
from weights.integrity.models import VerificationRun
from weights.integrity.verification import check_batch, queueing
from weights.publishing import intake
from weights.publishing.models import Revision
from weights.storage import blob_storage
from weights.storage.folder_store import FileStorage
from weights.storage.models import Blob

pytestmark = pytest.mark.usefixtures("open_tier", "store")


@pytest.fixture
def revision(tmp_path: Path) -> Revision:
    """Twelve small files, stored and not verified yet."""
    root = tmp_path / "model"
    root.mkdir()
    for number in range(12):
        data = factories.safetensors(b"%d" % number * 400)
        (root / f"model-{number}.safetensors").write_bytes(data)
    return intake.publish(root, "acme/many", tier="open")


def ids() -> list[int]:
    return list(Blob.objects.order_by("pk").values_list("pk", flat=True))


def states() -> list[str]:
    return list(Blob.objects.order_by("pk").values_list("state", flat=True))


def run_results() -> list[str]:
    return list(VerificationRun.objects.values_list("result", flat=True))


def on_disk(blob_id: int) -> Path:
    path = blob_storage().local_path(Blob.objects.get(pk=blob_id).sha256)
    assert path is not None
    return path


def test_a_batch_records_of_each_blob_what_its_own_check_records(revision: Revision) -> None:
    alone, *others = ids()
    tasks.verify_blob(alone)
    with CaptureQueriesContext(connection) as queries:
        tasks.verify_blob(*others)
    assert len(queries) < 8 * len(others)

    revision.refresh_from_db()
    assert revision.state == Revision.State.VISIBLE
    first = Blob.objects.get(pk=alone)
    for blob in Blob.objects.exclude(pk=alone):
        run, event = blob.runs.get(), AuditEvent.objects.about(blob).get()
        assert (run.result, run.found_sha256) == ("verified", blob.sha256)
        assert (run.bytes_read, run.worker) == (blob.size, first.runs.get().worker)
        assert run.finished_at is not None
        assert (event.action, event.details["sha256"]) == ("blob.verified", blob.sha256)
        assert event.details["formats"] == {"safetensors": "inspected"}
        (inspection,) = blob.inspections.all()
        assert (inspection.outcome, inspection.tensors) == ("inspected", 1)
        assert blob.facts.get().facts["U8"] > 0
        stored = blob_storage().stat(blob.sha256)
        assert stored is not None
        assert (blob.mark, blob.version_in) == (stored.mark, blob_storage().address)
        for field in ("state", "attempts", "leased_until", "check_due_at", "inspect_due_at"):
            assert getattr(blob, field) == getattr(first, field)
        assert blob.last_verified_at is not None


def test_a_damaged_a_lost_and_a_harmful_file_end_as_alone(
    revision: Revision, tmp_path: Path
) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "model.bin").write_bytes(b"\x80\x02cposix\nsystem\n.")
    harmful = intake.publish(bad, "acme/bad", tier="open")
    damaged, lost, *good, refused = ids()
    flipped = bytearray(on_disk(damaged).read_bytes())
    flipped[-1] ^= 1
    on_disk(damaged).write_bytes(flipped)
    on_disk(lost).unlink()

    tasks.verify_blob(*ids())

    quarantined = Blob.objects.filter(state=Blob.State.QUARANTINED)
    assert {blob.pk: blob.quarantine_cause for blob in quarantined} == {
        damaged: "damaged",
        lost: "damaged",
        refused: "refused",
    }
    assert Blob.objects.filter(pk__in=good, state=Blob.State.VERIFIED).count() == len(good)
    results = [Blob.objects.get(pk=pk).runs.get().result for pk in (damaged, lost, refused)]
    assert results == ["mismatch", "missing", "verified"]
    for failed in (revision, harmful):
        failed.refresh_from_db()
        assert failed.state == Revision.State.FAILED


def test_the_check_alone_of_an_unreadable_file_counts_as_its_first(
    revision: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable, *good = ids()
    broken, read = Blob.objects.get(pk=unreadable).sha256, FileStorage.open

    def fail(self: FileStorage, sha256: str, **where: Any) -> BinaryIO:
        if sha256 == broken:
            raise OSError("input/output error")
        return read(self, sha256, **where)

    # No disk here fails on demand for one file.
    monkeypatch.setattr(FileStorage, "open", fail)
    tasks.verify_blob(*ids())
    assert Blob.objects.filter(pk__in=good, state=Blob.State.VERIFIED).count() == len(good)
    blob = Blob.objects.get(pk=unreadable)
    assert (blob.attempts, blob.leased_until) == (1, None)
    assert [run.result for run in blob.runs.all()] == ["unreadable"]


@pytest.mark.slow
def test_after_a_kill_each_blob_has_a_check_of_its_own(
    revision: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """A kill leaves nothing to catch."""

    def kill(*arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        # A kill before the result.
        patch.setattr(check_batch, "_conclude", kill)
        with pytest.raises(Killed):
            tasks.verify_blob(*ids())
    assert set(states()) == {Blob.State.HASHING}
    Blob.objects.update(leased_until=None)

    with monkeypatch.context() as patch:
        # No blob may be checked with others.
        patch.setattr(check_batch, "_verify_leased", kill)
        tasks.verify_blob(*ids())
    assert set(states()) == {Blob.State.VERIFIED}


def test_a_batch_that_lost_one_lease_concludes_nothing(
    revision: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, later = FileStorage.open, timezone.now() + 2 * lease.LENGTH
    taken = ids()[5]

    def slow(self: FileStorage, sha256: str, **where: Any) -> BinaryIO:
        Blob.objects.filter(pk=taken).update(leased_until=later)
        return read(self, sha256, **where)

    # The real files are read; another worker takes one of the leases meanwhile.
    monkeypatch.setattr(FileStorage, "open", slow)
    tasks.verify_blob(*ids())
    assert set(states()) == {Blob.State.HASHING}
    assert Blob.objects.get(pk=taken).leased_until == later
    assert Blob.objects.exclude(pk=taken).filter(leased_until=None).count() == 11
    assert run_results() == ["abandoned"] * 12
    assert not AuditEvent.objects.filter(action="blob.verified").exists()


def test_a_stopping_worker_leaves_the_batch_to_the_sweep(
    revision: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop() -> None:
        raise shutdown.Stopped

    with monkeypatch.context() as patch:
        # The signal of a real worker; tests/weights/integrity/test_long_reads.py sends one.
        patch.setattr(shutdown, "demand_running", stop)
        tasks.verify_blob(*ids())
    due = Blob.objects.due_for_check(timezone.now())
    assert due.filter(attempts=0).count() == 12
    assert run_results() == ["abandoned"] * 12
    tasks.verify_blob(*ids())
    assert set(states()) == {Blob.State.VERIFIED}


def test_a_message_names_small_blobs_together_and_a_large_one_alone(
    revision: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int, ...]] = []

    def note(task: str, *blob_ids: int) -> bool:
        sent.append(blob_ids)
        return True

    # The test checks the queued messages; no worker runs that would consume them.
    monkeypatch.setattr(queueing, "queue_now", note)
    monkeypatch.setattr(queueing, "TOGETHER", 5)
    large, *others = ids()
    Blob.objects.filter(pk=large).update(size=queueing.SMALL + 1)
    verification.queue(Blob.objects.all())
    assert [len(batch) for batch in sent] == [1, 5, 5, 1]
    assert sent[0] == (large,)
    assert sorted(pk for batch in sent[1:] for pk in batch) == others
