"""A failure in a sweep does not stop the rest, and the health page shows it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from urllib.request import urlopen

import pytest
from celery import current_app
from django.utils import timezone
from pytest_django import Settings

from accounts import tasks as accounts_tasks
from accounts.applications.documents.models import Attachment
from accounts.audit.merkle_log import sealer
from accounts.background.models import FailedItem, Heartbeat
from accounts.background.review_sweep import STEPS
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.privacy.models import DataExport
from accounts.tiers.models import Tier
from accounts.users.models import User
from portal.health import findings
from tests.support import factories
from tests.support.servers import services
from tests.support.servers.live import Portal
from tests.weights.catalogue.test_front_matter import UNREADABLE
from weights import tasks
from weights.catalogue import file_facts, front_matter
from weights.catalogue.models import FileFacts
from weights.integrity.verification import inspect_blob
from weights.integrity.verification.outcomes import TRIES
from weights.ledger.models import Download
from weights.privacy import export
from weights.publishing import intake
from weights.publishing.models import Revision
from weights.recalls.models import Recall
from weights.storage.models import Blob

pytestmark = pytest.mark.django_db

Sweep = Callable[[], object]
#: Sweep -> its task, and what each of its steps calls.
SWEEPS: dict[str, tuple[Sweep, dict[str, str]]] = {
    "mail": (accounts_tasks.sweep, {"mails queued": "accounts.tasks.queue_each"}),
    "grants": (
        accounts_tasks.sweep,
        {
            "expired": "accounts.grants.models.GrantQuerySet.due_to_expire",
            "resumed": "accounts.grants.models.GrantQuerySet.due_to_resume",
            "reminded": "accounts.grants.periodic_sweep._remind",
        },
    ),
    "heads": (
        accounts_tasks.sign_head,
        {
            "copies": "accounts.audit.merkle_log.copies.sweep",
            "head": "accounts.audit.merkle_log.signed_heads.sweep",
        },
    ),
    "profiles": (
        accounts_tasks.look_at_profiles,
        {"profiles": "accounts.review.evidence.profiles.sweep"},
    ),
    "scrub": (
        tasks.take_scrub_turn,
        {
            "survey": "weights.integrity.scrub.store_survey.survey",
            "reading": "weights.integrity.scrub.worker_turn.due",
        },
    ),
    "tidy": (
        tasks.tidy,
        {
            "refusals told": "weights.ledger.recording.record_counted_refusals",
            "networks forgotten": "weights.ledger.recording.forget_networks",
            "contacts forgotten": "weights.reports.submission.forget_contacts",
            "outdated inspections": "weights.integrity.verification.reinspect_outdated",
            "strict tiers": "weights.integrity.verification.inspect_strictly",
            "uploads forgotten": "weights.uploads.sweep.sweep",
            "unused blobs": "weights.uploads.sweep.sweep_blobs",
            "xorbs forgotten": "weights.uploads.xet.xorbs.sweep",
            "leftovers": "weights.storage.folder_store.FileStorage.sweep",
        },
    ),
}


def fail(*_: object, **__: object) -> NoReturn:
    raise KeyError("maybe")


def line(name: str) -> findings.Line:
    return next(line for line in findings.lines() if line.name == name)


def assert_only_failing(step: str, sweep: str, steps: set[str]) -> None:
    """Assert that all steps but one finished, and that the health page shows that one."""
    beat = Heartbeat.objects.get(name=sweep)
    assert set(beat.details["done"]) == steps - {step}
    assert set(beat.failing) == {step}
    shown = line(findings.SWEEPS[sweep][0])
    assert shown.state == "alarm"
    assert f"could not finish: {step} for 0 minutes (KeyError: 'maybe')" in shown.text


@pytest.mark.requirement("CE-10")
@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("sweep", "step"), [(sweep, step) for sweep, (_, steps) in SWEEPS.items() for step in steps]
)
def test_a_step_that_fails_stops_no_other(
    sweep: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, steps = SWEEPS[sweep]
    # No known row makes the whole step fail, so the test injects the fault.
    monkeypatch.setattr(steps[step], fail)
    run()
    assert_only_failing(step, sweep, set(steps))


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("sweep", "run", "table"),
    [("weights", tasks.sweep, tasks.SWEEP), ("clocks", accounts_tasks.clocks, STEPS)],
    ids=["weights", "clocks"],
)
def test_any_step_of_a_table_that_fails_stops_no_other(
    sweep: str, run: Sweep, table: dict[str, Callable[..., object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in table:
        with monkeypatch.context() as patch:
            # No known row makes the whole step fail, so the test injects the fault.
            patch.setitem(table, step, fail)
            run()
        assert_only_failing(step, sweep, set(table))


def test_a_sealer_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    one = sealer.Sealer()
    with monkeypatch.context() as patch:
        # No row is known that cannot be sealed; the next one will be a fault of ours.
        patch.setattr(sealer, "seal", fail)
        with pytest.raises(KeyError):
            one._seal()
    assert line("Rows of the trail to seal").state == "alarm"
    assert "rows sealed for 0 minutes (KeyError: 'maybe')" in line("Rows of the trail to seal").text
    one._seal()
    assert line("Rows of the trail to seal").state == "ok"


# -- items ----------------------------------------------------------------------------------


def fails_for(act: Callable[..., object], is_poison: Callable[..., bool]) -> Callable[..., object]:
    def wrapped(*arguments: object, **more: object) -> object:
        if is_poison(*arguments):
            raise KeyError("maybe")
        return act(*arguments, **more)

    return wrapped


def failing(step: str, item: int) -> str:
    """The error with which this item fails, which the health page shows, too."""
    failed = FailedItem.objects.failing().get(step=step, item=item)
    shown = line("Items that fail")
    assert shown.state == "late"
    assert f"{step} of row {item} for 0 minutes, 1 attempts ({failed.last_error})" in shown.text
    return failed.last_error


def retry_at_once() -> None:
    FailedItem.objects.update(next_attempt_at=timezone.now())


@pytest.mark.usefixtures("store")
def test_a_hostile_card_does_not_prevent_the_reading_of_others() -> None:
    blocks = [block for block in UNREADABLE if "\ud800" not in block]  # no bytes decode to it
    for number, block in enumerate(blocks):
        text = f"---\n{block}\n---\nBody\n".encode()
        factories.published(f"acme/hostile-{number}", files={"README.md": text})
    good = factories.published("acme/good", files={"README.md": b"---\ntags: [good]\n---\n"})
    tasks.sweep()
    assert FileFacts.objects.exclude(facts={}).get().facts == {"tags": ["good"]}
    assert good.files.get().blob.facts.exists()
    assert FileFacts.objects.count() == len(blocks) + 1
    assert not FailedItem.objects.exists()
    assert Heartbeat.objects.get(name="weights").failing == {}


@pytest.fixture
def two(tmp_path: Path, open_tier: Tier, store: Path) -> tuple[Revision, Revision]:
    """A poisoned and a good revision, published and not verified yet."""
    made = []
    for name in ("poison", "good"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "README.md").write_text(f"---\ntags: [{name}]\n---\n")
        made.append(intake.publish(folder, f"acme/{name}", tier="open"))
    return made[0], made[1]


def verify_both() -> None:
    for pk in Blob.objects.awaiting_result().order_by("pk").values_list("pk", flat=True):
        tasks.verify_blob(pk)


def states(revisions: tuple[Revision, ...]) -> list[str]:
    for revision in revisions:
        revision.refresh_from_db()
    return [revision.state for revision in revisions]


def test_a_card_that_no_parser_survives_hides_nothing(
    two: tuple[Revision, Revision], monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = fails_for(front_matter.split, lambda text: "poison" in text)
    with monkeypatch.context() as patch:
        # No card is known that raises; the next one will be a fault of ours.
        patch.setattr(front_matter, "split", poisoned)
        verify_both()
        assert states(two) == ["visible", "visible"]
        assert file_facts.revision_facts(two[0]).card == {}  # as a page asks
    assert FileFacts.objects.get().facts == {"tags": ["good"]}
    blob = two[0].files.get().blob_id
    assert failing("reading of card", blob) == "KeyError: 'maybe'"
    retry_at_once()
    tasks.sweep()
    assert FileFacts.objects.get(blob=blob).facts == {"tags": ["poison"]}
    assert not FailedItem.objects.exists()


def test_a_revision_that_cannot_be_settled_stops_no_other(
    two: tuple[Revision, Revision], monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = fails_for(file_facts.read_revision, lambda revision: revision == two[0])
    with monkeypatch.context() as patch:
        # No revision is known that cannot be settled; the next one will be a fault of ours.
        patch.setattr(file_facts, "read_revision", poisoned)
        verify_both()
        tasks.sweep()
        assert states(two) == ["pending", "visible"]
    assert failing("revisions settled", two[0].pk) == "KeyError: 'maybe'"
    retry_at_once()
    tasks.sweep()
    assert states(two) == ["visible", "visible"]
    assert not FailedItem.objects.exists()


def test_a_blob_whose_check_fails_backs_off_and_ends_with_a_reason(
    two: tuple[Revision, Revision], monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = two[0].files.get().blob
    poisoned = fails_for(inspect_blob.run, lambda lease, *_: lease.row == blob)
    with monkeypatch.context() as patch:
        # No file is known at which the check itself fails; the next one will be a fault of ours.
        patch.setattr(inspect_blob, "run", poisoned)
        verify_both()
        assert states(two) == ["pending", "visible"]
        blob.refresh_from_db()
        assert blob.check_due_at is not None
        assert blob.check_due_at > timezone.now()
        for _ in range(TRIES - 1):
            tasks.verify_blob(blob.pk)
    assert states(two) == ["failed", "visible"]
    assert two[0].state_reason == "README.md: its check failed: KeyError: 'maybe'"
    tasks.verify_blob(blob.pk)
    blob.refresh_from_db()
    assert blob.state == Blob.State.VERIFIED


def test_an_archive_that_cannot_be_made_stops_no_other(
    applicant: User, other_person: User, gated_tier: Tier
) -> None:
    application = factories.submitted(applicant, gated_tier)
    facts: dict[str, Any] = {"question": "q", "name": "a.pdf", "size": 4, "sha256": "0" * 64}
    Attachment.objects.create(application=application, uploaded_by=applicant, **facts)
    poison, good = (export.request_export(person) for person in (applicant, other_person))
    for one in (poison, good):
        tasks.make_export(one.pk)
    poison.refresh_from_db()
    good.refresh_from_db()
    assert (poison.state, good.state) == (DataExport.State.QUEUED, DataExport.State.READY)
    assert "Attachment has no content" in failing("weights.make_export", poison.pk)
    Attachment.objects.all().delete()
    retry_at_once()
    tasks.make_export(poison.pk)
    poison.refresh_from_db()
    assert poison.state == DataExport.State.READY


@pytest.mark.usefixtures("store")
def test_a_recall_that_cannot_be_mailed_stops_no_other(applicant: User) -> None:
    told = []
    for number in range(2):
        name = f"acme/recalled-{number}"
        revision = factories.published(name, files={"README.md": name.encode()})
        file = revision.files.get()
        row: dict[str, Any] = {"user_id": applicant.pk, "checkpoint_id": revision.checkpoint_id}
        row |= {"file_id": file.pk, "sha256": file.sha256, "length": file.size}
        Download.objects.create(**row, repo_id=name, path=file.path, outcome="served")
        told.append(Recall.objects.create(blob=file.blob, cause="owner", reason="Wrong."))
    Recall.objects.filter(pk=told[0].pk).update(state="odd")
    for recall in told:
        tasks.tell_recall(recall.pk)
    assert "'odd' is not a valid Recall.State" in failing("weights.tell_recall", told[0].pk)
    told[1].refresh_from_db()
    assert told[1].told_at is not None


def test_a_grant_that_cannot_end_stops_no_other(
    applicant: User, other_person: User, gated_tier: Tier, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, good = (
        factories.expired_grant(person, gated_tier) for person in (applicant, other_person)
    )
    expire = fails_for(lifecycle.expire, lambda one, *_: one == poison)
    # No grant is known that cannot end; the next one will be a fault of ours.
    monkeypatch.setattr(lifecycle, "expire", expire)
    accounts_tasks.sweep()
    good.refresh_from_db()
    assert good.state == Grant.State.EXPIRED
    assert failing("grants expired", poison.pk) == "KeyError: 'maybe'"


def test_a_mail_that_cannot_be_sent_waits_for_its_next_try(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAIL_LEAVES = True
    mail = OutgoingMail.objects.create(unique_key="1", to="a@example.org", subject="s", text="t")
    # No message is known that raises this; the next one will be a fault of ours.
    monkeypatch.setattr("accounts.mail.outbox._send", fail)
    accounts_tasks.deliver_mail(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.last_error) == (OutgoingMail.State.QUEUED, "'maybe'")
    assert mail.next_attempt_at > timezone.now()


# -- a real portal --------------------------------------------------------------------------


def test_hostile_cards_and_poisoned_rows_beside_a_good_checkpoint_on_a_running_portal(
    open_tier: Tier, portal_server: Portal, tmp_path: Path
) -> None:
    applicant, other = factories.person("applicant"), factories.person("other")
    application = factories.submitted(applicant, factories.tier("gated"))
    facts: dict[str, Any] = {"question": "q", "name": "a.pdf", "size": 4, "sha256": "0" * 64}
    Attachment.objects.create(application=application, uploaded_by=applicant, **facts)
    exports = [DataExport.objects.create(user=person) for person in (applicant, other)]
    for name, block in (("hostile", "a: !!bool maybe"), ("good", "tags: [good]")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "README.md").write_text(f"---\n{block}\n---\nBody\n")
        done = portal_server.manage(
            *("publish", str(folder), f"acme/{name}", "--tier", "open", "--wait")
        )
        assert done.returncode == 0, done.stderr
        assert ("line 2: tags are not supported" in done.stdout + done.stderr) == (
            name == "hostile"
        )
    current_app.send_task("weights.sweep")
    services.wait_until(lambda: _is_ready(exports[1]), "the export of another person")
    services.wait_until(FailedItem.objects.failing().exists, "the failure to be noted")
    assert not _is_ready(exports[0])
    assert "weights.make_export" in line("Items that fail").text
    page = urlopen(f"{portal_server.url}/acme/hostile").read().decode()
    assert "front matter could not be read: line 2: tags are not supported" in page
    card = json.load(urlopen(f"{portal_server.url}/api/models/acme/good"))["cardData"]
    assert card == {"tags": ["good"]}


def _is_ready(one: DataExport) -> bool:
    one.refresh_from_db()
    return one.state == DataExport.State.READY
