"""Every stored byte is read again on a schedule, and the store is surveyed."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from tests.support import factories
from tests.support.crashes import each_crash
from tests.support.damage import flip_unseen
from tests.support.hurry import at_once
from tests.support.servers import s3
from weights.integrity import lease, scrub, verification
from weights.integrity.models import ScrubTurn, StoreFinding, StoreSurvey, VerificationRun
from weights.integrity.scrub import command as by_hand
from weights.integrity.scrub import store_survey, turns, worker_turn
from weights.publishing import intake
from weights.recalls.models import Recall
from weights.storage import blob_storage
from weights.storage.folder_store import FileStorage
from weights.storage.models import UNVERIFIED, Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("open_tier")]

FILES = {"a.bin": b"a" * 5000, "b.bin": b"b" * 3000, "c.bin": b"c" * 1000}
LONG_AGO = timedelta(days=40)


def publish(folder: Path) -> None:
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    intake.publish(folder, "acme/model", tier="open")
    for blob in Blob.objects.all():
        verification.verify(blob.pk)


@pytest.fixture
def blobs(store: Path, tmp_path: Path) -> dict[str, Blob]:
    """Blobs by path, published and verified in the normal way."""
    publish(tmp_path / "model")
    return {blob.files.get().path: blob for blob in Blob.objects.all()}


def age(blob: Blob, days: float) -> None:
    read_at = timezone.now() - timedelta(days=days)
    Blob.objects.filter(pk=blob.pk).update(last_verified_at=read_at)


def on_disk(blob: Blob) -> Path:
    path = blob_storage().local_path(blob.sha256)
    assert path is not None
    return path


def states() -> dict[str, str]:
    return {blob.files.get().path: str(blob.state) for blob in Blob.objects.all()}


# -- reading on a schedule ----------------------------------------------------------------


@pytest.mark.requirement("ST-7")
def test_the_blob_read_longest_ago_is_read_first_and_the_rest_waits(
    blobs: dict[str, Blob],
) -> None:
    age(blobs["a.bin"], 28)
    age(blobs["b.bin"], 29)
    last = VerificationRun.objects.latest("pk").pk
    assert scrub.work("worker@test") == 2
    read = VerificationRun.objects.filter(pk__gt=last).order_by("pk")
    assert [run.blob for run in read] == [blobs["b.bin"], blobs["a.bin"]]
    assert {run.worker for run in read} == {"worker@test"}
    assert scrub.work() == 0
    assert not scrub.late(timezone.now()).exists()


def test_a_silent_flip_is_found_by_the_scrub_and_a_good_copy_heals_it(
    client: Client, blobs: dict[str, Blob], tmp_path: Path
) -> None:
    flip_unseen(blobs["a.bin"])
    address = "/acme/model/resolve/main/a.bin"
    assert client.get(address).status_code == 200  # nothing shows yet
    age(blobs["a.bin"], 40)
    scrub.work()
    assert client.get(address)["X-Refusal-Code"] == "file_unverified"
    blobs["a.bin"].refresh_from_db()
    scrub.read_to_the_end(blobs["a.bin"])
    assert states() == {"a.bin": "quarantined", "b.bin": "verified", "c.bin": "verified"}
    assert blobs["a.bin"].runs.filter(result="mismatch").count() == 4
    assert client.get(address)["X-Refusal-Code"] == "file_quarantined"
    publish(tmp_path / "again")
    assert set(states().values()) == {"verified"}
    assert Recall.objects.get().state == Recall.State.REPAIRED


def test_a_kill_at_any_statement_loses_no_reading(
    transactional_db: None, blobs: dict[str, Blob], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A survey would also be killed; it has its own test.
    monkeypatch.setattr(store_survey, "is_due", lambda now: False)
    age(blobs["a.bin"], 40)
    for _ in each_crash(lambda: scrub.work()):
        ScrubTurn.objects.update(leased_until=None)
        blob = Blob.objects.get(pk=blobs["a.bin"].pk)
        asked = blob.check_due_at is not None
        assert asked or blob in scrub.due(timezone.now()) or blob.runs.count() > 1
        assert blob.state == Blob.State.VERIFIED
        Blob.objects.update(leased_until=None, check_due_at=None)
    assert not scrub.due(timezone.now()).exists()


def test_two_workers_read_each_blob_once(
    transactional_db: None,
    blobs: dict[str, Blob],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.SCRUB_AT_ONCE = 2
    # A survey would be read in a turn too.
    monkeypatch.setattr(store_survey, "is_due", lambda now: False)
    for blob in blobs.values():
        age(blob, 40)
    last = VerificationRun.objects.latest("pk").pk
    at_once(*[lambda: scrub.work()] * 3)
    read = VerificationRun.objects.filter(pk__gt=last)
    assert sorted(run.blob_id for run in read) == sorted(blob.pk for blob in blobs.values())
    assert not ScrubTurn.objects.exclude(leased_until=None).exists()


def test_a_blob_that_another_worker_has_just_read_is_not_read_again(blobs: dict[str, Blob]) -> None:
    age(blobs["a.bin"], 40)
    for_one, for_another = scrub.due(timezone.now()), scrub.due(timezone.now())
    first, second = for_one.get(), for_another.get()
    assert scrub.read(first, lambda count: None)
    assert not scrub.read(second, lambda count: None)
    assert first.runs.count() == 2, "the first check, and one of the scrub"


# -- turns and their rate -----------------------------------------------------------------


@pytest.mark.requirement("ST-7")
def test_all_readers_together_keep_to_the_rate(db: None, settings: Settings) -> None:
    settings.SCRUB_AT_ONCE, settings.SCRUB_BYTES_PER_SECOND = 4, 8_000_000
    with turns.taken(1) as one, turns.taken() as rest, turns.taken() as none:
        assert none is None
        assert one is not None
        assert rest is not None
        assert (one.rate, rest.rate) == (2_000_000, 6_000_000)
    with turns.taken() as everything:
        assert everything is not None
        assert everything.rate == 8_000_000


def test_a_reader_sleeps_for_what_it_read(db: None, settings: Settings) -> None:
    settings.SCRUB_BYTES_PER_SECOND = 1_000_000
    slept: list[float] = []
    with turns.taken(sleep=slept.append) as turn:
        assert turn is not None
        began = time.monotonic()
        for _ in range(10):
            turn.passed(500_000)
        spent = time.monotonic() - began
    # Nothing really slept, so each call asks for the remaining time: the last one for all of it.
    assert 5.0 - spent <= slept[-1] <= 5.0


def test_a_real_read_takes_as_long_as_the_rate_says(
    blobs: dict[str, Blob], settings: Settings
) -> None:
    settings.SCRUB_BYTES_PER_SECOND = 5000
    began = time.monotonic()
    with turns.taken() as turn:
        assert turn is not None
        assert scrub.read(blobs["a.bin"], turn.passed)
    assert time.monotonic() - began >= 1.0


def test_a_turn_of_a_dead_worker_is_free_again_and_the_old_holder_notices(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A bound made small: 5 s in earnest.
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.0)
    with turns.taken() as dead:
        assert dead is not None
        ScrubTurn.objects.update(leased_until=timezone.now())
        with turns.taken() as heir:
            assert heir is not None
            dead.keep_alive()
            heir.keep_alive()
            assert (dead.lost, heir.lost) == (True, False)


# -- looking over the store ---------------------------------------------------------------


@pytest.mark.requirement("ST-9")
def test_missing_and_orphaned_ones_are_listed_and_nothing_is_deleted(
    blobs: dict[str, Blob], store: Path
) -> None:
    on_disk(blobs["a.bin"]).unlink()
    old, young, stray = store / "ff/ff" / ("f" * 64), store / "ff/ff" / ("e" * 64), store / "notes"
    old.parent.mkdir(parents=True)
    for path in (old, young, stray):
        path.write_bytes(b"whose?")
    day_old = time.time() - 25 * 3600
    for path in (old, stray):
        os.utime(path, (day_old, day_old))
    found = scrub.survey()
    assert found is not None
    assert (found.stored, found.missing, found.orphaned, found.trouble) == (5, 1, 2, "")
    sha = blobs["a.bin"].sha256
    assert [(one.kind, one.key, one.size) for one in scrub.findings()] == [
        ("missing", f"{sha[:2]}/{sha[2:4]}/{sha}", 5000),
        ("orphaned", f"ff/ff/{'f' * 64}", 6),
        ("orphaned", "notes", 6),
    ]
    assert all(path.exists() for path in (old, young, stray))
    blobs["a.bin"].refresh_from_db()
    assert blobs["a.bin"].check_due_at is not None
    assert AuditEvent.objects.filter(action="store.surveyed").count() == 1


def test_findings_keep_their_first_day_and_disappear_once_repaired(
    blobs: dict[str, Blob], monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = on_disk(blobs["a.bin"]).rename(on_disk(blobs["a.bin"]).with_suffix(".aside"))
    scrub.survey()
    first = StoreFinding.objects.get(kind="missing")
    scrub.survey()
    again = StoreFinding.objects.get(kind="missing")
    assert again.first_seen_at == first.first_seen_at < again.last_seen_at
    aside.rename(on_disk(blobs["a.bin"]))
    scrub.survey()
    assert not StoreFinding.objects.exists()


@pytest.fixture(params=["files", "s3"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Blob:
    """A blob on files and on S3, without versions."""
    request.getfixturevalue("store" if request.param == "files" else "s3_store")
    publish(tmp_path / "model")
    return Blob.objects.get(files__path="a.bin")


def test_a_blob_that_was_written_to_is_suspended_and_read_again(
    client: Client, either: Blob
) -> None:
    scrub.survey()
    assert set(states().values()) == {"verified"}  # nothing is suspected without a reason
    with blob_storage().receive() as upload:
        upload.write(b"A" + FILES["a.bin"][1:])
        upload.commit(either.sha256)
    found = scrub.survey()
    assert found is not None
    assert found.changed == 1
    assert client.get("/acme/model/resolve/main/a.bin")["X-Refusal-Code"] == "file_unverified"
    either.refresh_from_db()
    scrub.read_to_the_end(either)
    assert states() == {"a.bin": "quarantined", "b.bin": "verified", "c.bin": "verified"}


def test_a_store_that_lacks_most_is_taken_for_another_one_and_nothing_is_concluded(
    blobs: dict[str, Blob], store: Path
) -> None:
    for blob in blobs.values():
        on_disk(blob).unlink()
        age(blob, 40)
    assert scrub.work() == 0
    last = scrub.last_one()
    assert last is not None
    assert "a different store" in last.trouble
    assert scrub.last_good() is None
    assert set(states().values()) == {"verified"}
    assert not Blob.objects.exclude(check_due_at=None).exists()
    assert not StoreFinding.objects.exists()


def test_a_store_that_vanishes_between_two_surveys_loses_at_most_one_blob(
    blobs: dict[str, Blob],
) -> None:
    scrub.survey()
    for blob in blobs.values():
        on_disk(blob).unlink()
        age(blob, 40)
    assert scrub.work() == 1
    assert sum(state in UNVERIFIED for state in states().values()) == 1


def test_only_one_survey_runs_and_a_dead_one_gives_way(blobs: dict[str, Blob]) -> None:
    now = timezone.now()
    running = StoreSurvey.objects.create(
        store=blob_storage().address, started_at=now, leased_until=now + lease.LENGTH
    )
    assert scrub.survey() is None
    StoreSurvey.objects.update(leased_until=now)
    assert scrub.survey() is not None
    assert not StoreSurvey.objects.filter(pk=running.pk).exists()


def test_it_is_looked_over_each_hour_and_sooner_after_trouble(
    db: None, store: Path, settings: Settings
) -> None:
    now = timezone.now()
    assert store_survey.is_due(now)
    scrub.survey()
    assert not store_survey.is_due(timezone.now())
    assert store_survey.is_due(now + timedelta(hours=1, minutes=1))
    StoreSurvey.objects.update(trouble="it did not answer")
    assert store_survey.is_due(now + timedelta(minutes=11))


@pytest.mark.requirement("ST-9")
def test_foreign_folders_are_reported_and_never_opened(blobs: dict[str, Blob], store: Path) -> None:
    (store / "lost+found").mkdir(mode=0o700)
    ours = store / blobs["a.bin"].sha256[:2]
    for theirs in (store / "snapshots", ours / "notes", store / os.fsdecode(b"d\xe9j\xe0")):
        theirs.mkdir()
        (theirs / "inside.txt").write_bytes(b"never met")
        os.utime(theirs, (0, 0))
    found = scrub.survey()
    assert found is not None
    assert (found.trouble, found.missing, found.orphaned) == ("", 0, 3)
    orphans = StoreFinding.objects.filter(kind="orphaned").values_list("key", "size")
    assert set(orphans) == {
        ("snapshots/", 0),
        (f"{ours.name}/notes/", 0),
        ("d\\xe9j\\xe0/", 0),
    }


# -- stores that do not answer ------------------------------------------------------------


def test_a_store_cut_off_while_it_is_scrubbed_quarantines_nothing(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.SECRET_KEY)
    own = s3.start(tmp_path / "own")
    settings.S3_ENDPOINT_URL = settings.S3_PUBLIC_ENDPOINT_URL = own.endpoint
    settings.WEIGHTS_STORAGE = f"s3://{s3.BUCKET}/{factories.word()}"
    publish(tmp_path / "model")
    for blob in Blob.objects.all():
        age(blob, 40)
    scrub.survey()
    own.stop()
    assert scrub.work() == 1  # ends at the first that does not answer
    assert scrub.survey() is not None
    last = scrub.last_one()
    assert last is not None
    assert "does not answer" in last.trouble
    for blob in Blob.objects.all():
        verification.verify(blob.pk)
    assert set(states().values()) == {"verified"}
    assert not Recall.objects.exists()
    assert VerificationRun.objects.latest("pk").result == VerificationRun.Result.UNREADABLE


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), PermissionError(13, "no")])
def test_errors_of_the_disk_are_no_mismatch(
    blobs: dict[str, Blob], monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def fail(self: object, buffer: object) -> int:
        raise error

    # No disk fails on demand.
    monkeypatch.setattr("weights.storage.file_reader.FileReader.readinto", fail, raising=False)
    age(blobs["a.bin"], 40)
    assert scrub.work() == 1
    assert blobs["a.bin"].runs.first().result == "unreadable"  # type: ignore[union-attr]
    assert set(states().values()) == {"verified"}
    assert not scrub.due(timezone.now()).exists()  # its next try is already requested


# -- manual -------------------------------------------------------------------------------


def test_the_command_reads_everything_and_reports_success(
    blobs: dict[str, Blob], manage: object
) -> None:
    assert callable(manage)
    told = manage("scrub").splitlines()
    assert told == ["verified 0", "stored 3", "changed 0", "missing 0", "orphaned 0"]
    assert manage("scrub", "--all").splitlines()[0] == "verified 3"
    assert manage("scrub", "acme/model").splitlines()[0] == "verified 3"
    assert manage("scrub", "--report").splitlines()[:2] == ["quarantined 0", "behind schedule 0"]


def test_the_command_ends_badly_and_names_what_is_damaged_missing_or_unread(
    blobs: dict[str, Blob], manage: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(manage)
    flip_unseen(blobs["a.bin"])
    on_disk(blobs["b.bin"]).unlink()
    with pytest.raises(CommandError, match="unreadable or unread for too long: 2 blobs"):
        manage("scrub", "--all")
    told = capsys.readouterr()
    assert "quarantined 2" in told.out
    assert "(acme/model/a.bin)" in told.err
    assert "missing: " in told.err
    for command in (["scrub", "--report"], ["scrub", "acme/model"]):
        with pytest.raises(CommandError, match="2 blobs"):
            manage(*command)
        told = capsys.readouterr()
        assert "quarantined 2" in told.out
        assert "(acme/model/a.bin)" in told.err
    assert states() == {"a.bin": "quarantined", "b.bin": "quarantined", "c.bin": "verified"}
    with pytest.raises(CommandError, match="there is no checkpoint acme/none"):
        manage("scrub", "acme/none")


def test_the_command_reads_nothing_of_a_store_that_does_not_answer(
    blobs: dict[str, Blob], manage: object, store: Path
) -> None:
    assert callable(manage)
    store.rename(store.with_name("unmounted"))
    with pytest.raises(CommandError, match="is its disk mounted"):
        manage("scrub", "--all")
    assert set(states().values()) == {"verified"}


def test_the_command_waits_for_a_turn_and_gives_up_in_one_line(
    blobs: dict[str, Blob], manage: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(manage)
    # A smaller limit: the turn will not become free.
    monkeypatch.setattr(by_hand, "PATIENCE", 0.0)
    with scrub.taken(), pytest.raises(CommandError, match="another scrub is still running"):
        manage("scrub", "--all")


def test_nothing_is_read_beyond_a_turn(
    blobs: dict[str, Blob], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A turn that is over before it begins.
    monkeypatch.setattr(worker_turn, "TURN", -1.0)
    age(blobs["a.bin"], 40)
    assert scrub.work() == 0
    assert isinstance(blob_storage(), FileStorage)
