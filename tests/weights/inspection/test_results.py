"""Formats are inspected before a revision is visible; hostile files are never served."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import crashes, factories
from tests.weights.inspection import pickle_corpus, zip_corpus
from weights import tasks
from weights.catalogue import checkpoint_tiers
from weights.catalogue.models import Checkpoint
from weights.errors import StorageUnavailable
from weights.inspection import families, inspect_file, results, runner
from weights.inspection.formats import allowed, verdict
from weights.inspection.models import Inspection
from weights.integrity import verification
from weights.integrity.verification import inspect_blob, queueing
from weights.publishing import intake
from weights.publishing.models import File, Revision
from weights.storage.folder_store import FileStorage
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("open_tier", "store")]

GOOD = zip_corpus.packed(zip_corpus.pt(2))
RUNS = pickle_corpus.called("os.system")
OTHER_IMPORT = pickle_corpus.called("numpy.dtype")
Publish = Callable[..., Revision]


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    """Publish these files, and by default let a worker check them."""

    def act(repo_id: str = "acme/model", *, check: bool = True, **files: bytes) -> Revision:
        folder = tmp_path / factories.word()
        folder.mkdir()
        for name, content in files.items():
            (folder / name.replace("_", ".")).write_bytes(content)
        revision = intake.publish(folder, repo_id, tier="open")
        if check:
            work()
        revision.refresh_from_db()
        return revision

    return act


def work() -> None:
    """What a worker does once everything due was queued."""
    for blob_id in Blob.objects.awaiting_result().values_list("pk", flat=True):
        verification.verify(blob_id)
    for blob_id in Blob.objects.awaiting_inspection().values_list("pk", flat=True):
        verification.inspect(blob_id)


def blob_of(revision: Revision, path: str) -> Blob:
    return revision.files.select_related("blob").get(path=path).blob


# -- becoming visible ---------------------------------------------------------------------


def test_in_st_each_file_of_a_visible_revision_was_inspected_as_what_its_name_says(
    publish: Publish,
) -> None:
    revision = publish(
        model_pt=GOOD, a_safetensors=factories.safetensors(b"abc"), x_gguf=b"GGUF\3", c_json=b"{}"
    )
    assert revision.state == Revision.State.VISIBLE
    found = Inspection.objects.values_list("family", "kind", "outcome", "tensors")
    assert set(found) == {
        ("pickle", "PyTorch zip", "inspected", 2),
        ("safetensors", "safetensors", "inspected", 1),
        ("gguf", "GGUF", "not_inspected", None),
        ("other", "text", "inspected", None),
    }
    pickled = Inspection.objects.get(family="pickle")
    assert "torch._utils._rebuild_tensor_v2" in pickled.imports
    event = AuditEvent.objects.about(blob_of(revision, "model.pt")).get()
    assert event.details["formats"] == {"PyTorch zip": "inspected"}


def test_in_st_a_hostile_file_is_refused_with_its_reason_and_never_served(
    publish: Publish, client: Client
) -> None:
    revision = publish(model_bin=RUNS)
    assert revision.state == Revision.State.FAILED
    assert revision.state_reason == (
        "model.bin: its format was refused (PyTorch or pickle):"
        " its pickle imports os.system, which is not on the list"
    )
    blob = blob_of(revision, "model.bin")
    assert (blob.state, blob.check_due_at) == (Blob.State.QUARANTINED, None)
    assert blob.runs.get().result == "verified"  # the bytes match their hash
    event = AuditEvent.objects.get(action="blob.refused")
    assert event.details["imports"] == {"pickle": ["os.system"]}
    answer = client.get(f"/acme/model/resolve/{revision.sha}/model.bin")
    assert answer.status_code == 404


@pytest.mark.slow
def test_pages_of_what_is_checked_or_was_refused_are_for_the_staff_of_its_tier(
    publish: Publish, client: Client, release_owner: User
) -> None:
    revision = publish(model_bin=RUNS, config_json=b"{}")
    tree, file = (f"/acme/model/{one}/{revision.sha}" for one in ("tree", "blob"))
    elsewhere = factories.staff("elsewhere", Role.RELEASE_OWNER, factories.tier())
    for stranger in (None, elsewhere, factories.staff("reader", Role.REVIEWER)):
        if stranger:
            client.force_login(stranger)
        assert client.get(tree).status_code == 404
        assert client.get(f"{file}/model.bin").status_code == 404
    client.force_login(release_owner)
    assert "os.system, which is not on the list" in client.get(tree).text
    page = client.get(f"{file}/model.bin").text
    assert "Refused by inspection: nobody can download it" in page
    assert f"/resolve/{revision.sha}/model.bin" not in page
    assert client.get(f"/acme/model/resolve/{revision.sha}/config.json").status_code == 200
    client.force_login(factories.staff("watcher", Role.AUDITOR))
    page = client.get(f"{file}/config.json").text
    assert "once every file of its revision has passed" in page
    assert "<h2>Content</h2>" not in page
    answer = client.get(f"/acme/model/resolve/{revision.sha}/config.json")
    assert answer.status_code == 404


def test_a_blob_is_scanning_between_its_hash_and_its_result(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[str] = []
    look = runner.inspect

    def watched(*args: Any, **kwargs: Any) -> Any:
        states.extend(Blob.objects.values_list("state", flat=True))
        return look(*args, **kwargs)

    # The real child still looks; the state is noted before it does.
    monkeypatch.setattr(runner, "inspect", watched)
    publish(model_pt=GOOD)
    assert states == [Blob.State.SCANNING]


def test_a_store_that_breaks_off_while_a_format_is_read_is_tried_again(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> bytes:
        raise StorageUnavailable("the store does not answer")

    with monkeypatch.context() as patch:
        # The hash was computed; the store does not answer the parser.
        patch.setattr(FileStorage, "read", refuse)
        revision = publish(model_pt=GOOD)
    blob = blob_of(revision, "model.pt")
    assert (revision.state, blob.state) == (Revision.State.PENDING, Blob.State.SCANNING)
    assert not Inspection.objects.exists()
    work()
    revision.refresh_from_db()
    assert revision.state == Revision.State.VISIBLE


def test_text_of_a_stranger_is_stored_as_the_database_allows(publish: Publish) -> None:
    odd = "a\0b\ud800"
    body = pickle_corpus.text("os")[:5]
    name = odd.encode("utf-8", "surrogatepass")
    stream = b"\x80\4X" + len(name).to_bytes(4, "little") + name + body + b"os\x93."
    revision = publish(model_pt=stream)
    assert revision.state == Revision.State.FAILED
    assert Inspection.objects.get().imports == ["a\\u0000b\\ud800.os"]


# -- other names --------------------------------------------------------------------------


def test_the_same_bytes_under_another_name_are_looked_at_as_that(publish: Publish) -> None:
    first = publish("acme/first", notes_txt=b"N.")
    second = publish("acme/second", weights_pkl=b"N.", check=False)
    assert second.state == Revision.State.PENDING
    work()
    second.refresh_from_db()
    assert second.state == Revision.State.FAILED
    assert "older than protocol 2" in second.state_reason
    # A publisher who uses good bytes under a bad name blocks only that revision.
    first.refresh_from_db()
    assert first.state == Revision.State.VISIBLE
    assert blob_of(first, "notes.txt").state == Blob.State.VERIFIED
    assert verification.progress_of_revisions([second]).failures[0][0] == "acme/second/weights.pkl"
    assert verification.progress_of_revisions([first]).failures == []


def test_a_revision_of_known_files_alone_is_visible_at_once(publish: Publish) -> None:
    publish("acme/first", model_pt=GOOD)
    again = publish("acme/second", other_pt=GOOD, check=False)
    assert again.state == Revision.State.VISIBLE


# -- rules that grow ----------------------------------------------------------------------


def test_in_st_results_of_an_older_inspector_are_made_again_without_reading_all(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = publish(model_pt=GOOD, readme_md=b"# A model\n")
    assert verification.reinspect_outdated() == 0
    # The next release of the rules.
    monkeypatch.setattr(inspect_blob, "VERSION", verdict.VERSION + 1)
    monkeypatch.setattr(queueing, "VERSION", verdict.VERSION + 1)
    assert verification.reinspect_outdated() == 2
    runs = blob_of(revision, "model.pt").runs.count()
    work()
    assert set(Inspection.objects.values_list("version", flat=True)) == {verdict.VERSION + 1}
    assert blob_of(revision, "model.pt").runs.count() == runs
    assert verification.reinspect_outdated() == 0


def test_in_st_names_that_newer_rules_take_for_pickles_are_looked_at_again_and_closed(
    publish: Publish, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:  # the rules of the release before
        before.setattr(families, "_PICKLE_NAMES", families._PICKLE_NAMES - {"joblib"})
        # They did not look into files of other names.
        no_parser = verdict.Verdict("unknown", "not_inspected", "no parser")
        before.setattr(runner, "inspect", lambda *_, **__: no_parser)
        before.setattr(inspect_blob, "VERSION", verdict.VERSION - 1)
        revision = publish(model_joblib=RUNS, b_joblib=pickle_corpus.state(1), c_json=b"{}")
    assert revision.state == Revision.State.VISIBLE
    assert set(Inspection.objects.values_list("family", flat=True)) == {"other"}
    assert client.get("/acme/model/resolve/main/model.joblib").status_code == 200
    tasks.tidy()
    assert due() == {"model.joblib", "b.joblib", "c.json"}
    work()
    answer = client.get("/acme/model/resolve/main/model.joblib")
    assert answer["X-Refusal-Code"] == "file_quarantined"
    assert client.get("/acme/model/resolve/main/b.joblib").status_code == 200
    found = Inspection.objects.values_list("family", "outcome", "version", "read_to_end")
    assert sorted(found) == [
        ("other", "inspected", verdict.VERSION, True),
        ("pickle", "inspected", verdict.VERSION, True),
        ("pickle", "refused", verdict.VERSION, True),
    ]
    assert verification.reinspect_outdated() == 0


@pytest.mark.requirement("IN-10")
def test_in_st_a_pickle_that_once_passed_as_text_is_served_until_it_is_inspected_again(
    publish: Publish, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:  # the verdict of the release before
        text = verdict.Verdict("text", "inspected", read_to_end=True)
        before.setattr(runner, "inspect", lambda *_, **__: text)
        before.setattr(inspect_blob, "VERSION", verdict.VERSION - 1)
        publish(model=b"cos\nsystem\n(S'true'\ntR.", c_json=b"{}")
    assert verification.reinspect_outdated() == 2
    assert client.get("/acme/model/resolve/main/model").status_code == 200
    work()
    answer = client.get("/acme/model/resolve/main/model")
    assert answer["X-Refusal-Code"] == "file_quarantined"
    assert client.get("/acme/model/resolve/main/c.json").status_code == 200
    assert verification.reinspect_outdated() == 0


@pytest.mark.requirement("IN-6", "IN-11")
def test_code_passes_a_tier_for_inspected_formats(publish: Publish, open_tier: Tier) -> None:
    Tier.objects.filter(pk=open_tier.pk).update(inspected_only=True)
    assert publish(modeling_py=b"import torch\n").state == Revision.State.VISIBLE


def test_in_st_imports_of_pickles_of_other_names_follow_the_allowed_ones(
    publish: Publish, client: Client, settings: Settings
) -> None:
    settings.PICKLE_IMPORTS = ["numpy.dtype"]
    publish(weights=pickle_corpus.called("numpy.dtype"))
    assert client.get("/acme/model/resolve/main/weights").status_code == 200
    settings.PICKLE_IMPORTS = []
    assert verification.reinspect_outdated() == 1
    work()
    answer = client.get("/acme/model/resolve/main/weights")
    assert answer["X-Refusal-Code"] == "file_quarantined"


def test_in_st_a_file_refused_by_stricter_rules_is_refused_at_the_next_request(
    publish: Publish, client: Client, settings: Settings
) -> None:
    settings.PICKLE_IMPORTS = ["numpy.dtype"]
    revision = publish(model_pt=OTHER_IMPORT)
    assert client.get("/acme/model/resolve/main/model.pt").status_code == 200
    settings.PICKLE_IMPORTS = []
    verification.reinspect_outdated()
    work()
    answer = client.get("/acme/model/resolve/main/model.pt")
    assert answer["X-Refusal-Code"] == "file_quarantined"
    revision.refresh_from_db()
    assert revision.state == Revision.State.VISIBLE
    settings.PICKLE_IMPORTS = ["numpy.dtype"]
    verification.reinspect_outdated()
    work()  # inspected, and due to be read completely
    work()
    assert client.get("/acme/model/resolve/main/model.pt").status_code == 200


def test_the_sweep_sends_what_is_to_be_looked_at_and_only_once(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, int]] = []

    def send(task: str, blob_id: int) -> bool:
        sent.append((task, blob_id))
        return True

    revision = publish(model_pt=GOOD)
    Blob.objects.update(inspect_due_at=timezone.now())
    # The test checks the queued messages; no worker runs that would consume them.
    monkeypatch.setattr(queueing, "queue_now", send)
    verification.sweep()
    verification.sweep()
    assert sent == [("weights.inspect_blob", blob_of(revision, "model.pt").pk)]


# -- tiers that take inspected formats only ------------------------------------------------


@pytest.mark.requirement("IN-6")
def test_in_st_a_tier_may_demand_inspected_formats(publish: Publish, open_tier: Tier) -> None:
    Tier.objects.filter(pk=open_tier.pk).update(inspected_only=True)
    revision = publish(model_gguf=b"GGUF\3")
    assert revision.state == Revision.State.FAILED
    assert revision.state_reason == (
        "model.gguf: the tier open accepts only inspected formats, and GGUF is not"
    )
    assert blob_of(revision, "model.gguf").state == Blob.State.VERIFIED
    Tier.objects.filter(pk=open_tier.pk).update(inspected_only=False)
    verification.sweep()
    revision.refresh_from_db()
    assert revision.state == Revision.State.VISIBLE


@pytest.fixture
def strict_tier(gated_tier: Tier) -> Tier:
    Tier.objects.filter(pk=gated_tier.pk).update(inspected_only=True)
    gated_tier.refresh_from_db()
    return gated_tier


def due() -> set[str]:
    """Names of the files that wait for an inspection."""
    files = File.objects.filter(blob__inspect_due_at__isnull=False)
    return set(files.values_list("path", flat=True))


@pytest.mark.requirement("IN-6")
def test_a_checkpoint_moved_into_such_a_tier_has_the_rest_of_its_files_looked_at(
    publish: Publish,
    strict_tier: Tier,
    release_owner: User,
    settings: Settings,
    django_capture_on_commit_callbacks: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    revision = publish(model_pt=GOOD, a_safetensors=factories.safetensors(b"a"), c_json=b"{}")
    Inspection.objects.filter(blob=blob_of(revision, "a.safetensors")).delete()  # never looked at
    settings.PICKLE_IMPORTS = ["numpy.dtype"]  # and this one by other rules
    sent: list[int] = []

    def send(task: str, blob_id: int) -> bool:
        sent.append(blob_id)
        return True

    # The test checks the queued messages; no worker runs that would consume them.
    monkeypatch.setattr(queueing, "queue_now", send)
    checkpoint = revision.checkpoint
    checkpoint.tier = strict_tier
    with django_capture_on_commit_callbacks(execute=True):
        checkpoint_tiers.save_checkpoint(checkpoint, by=release_owner)
        assert sent == []  # what is rolled back is never sent
    waiting = {"model.pt", "a.safetensors"}
    assert due() == waiting
    assert set(sent) == {blob_of(revision, path).pk for path in waiting}
    work()
    assert due() == set()
    assert results.progress_of(checkpoint) == results.InspectionProgress(
        waiting=0, inspected=3, not_inspected=0, code=0, refused=0
    )


def test_a_tier_that_becomes_strict_has_its_files_looked_at_by_the_clock(
    publish: Publish, open_tier: Tier
) -> None:
    revision = publish(model_pt=GOOD, c_json=b"{}")
    Inspection.objects.filter(blob=blob_of(revision, "c.json")).delete()
    assert verification.inspect_strictly(Checkpoint.objects.all()) == 0
    Tier.objects.filter(pk=open_tier.pk).update(inspected_only=True)
    assert verification.inspect_strictly(Checkpoint.objects.all()) == 1
    assert due() == {"c.json"}
    assert verification.inspect_strictly(Checkpoint.objects.all()) == 0


@pytest.mark.slow
def test_the_admin_says_what_of_a_checkpoint_still_waits(
    publish: Publish, client: Client, release_owner: User
) -> None:
    revision = publish(model_pt=GOOD, x_gguf=b"GGUF\3", c_json=b"{}")
    Inspection.objects.filter(blob=blob_of(revision, "c.json")).delete()
    client.force_login(release_owner)
    page = client.get(reverse("admin:weights_checkpoint_change", args=[revision.checkpoint_id]))
    assert (
        "1 inspected; 1 waiting for inspection by the current rules;"
        " 1 in formats that cannot be inspected" in page.text
    )


# -- kills --------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_at_any_statement_leaves_one_result_of_each_kind(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = publish("acme/bad", bad_pt=RUNS, check=False)
    good = publish("acme/good", good_pt=GOOD, check=False)
    # Hundreds of processes are killed; starting an inspector for each takes too long.
    monkeypatch.setattr(runner, "inspect", _in_process)

    def everything() -> None:
        # Leases that expired; and a blob that kills eight workers counts as failed.
        Blob.objects.update(leased_until=None, attempts=0)
        work()
        verification.sweep()

    for _ in crashes.each_crash(everything):
        assert AuditEvent.objects.filter(action="blob.refused").count() <= 1
    assert Inspection.objects.count() == 2
    for action in ("blob.refused", "blob.verified", "revision.failed", "revision.visible"):
        assert AuditEvent.objects.filter(action=action).count() == 1, action
    hostile.refresh_from_db()
    good.refresh_from_db()
    assert (hostile.state, good.state) == (Revision.State.FAILED, Revision.State.VISIBLE)


def _in_process(source: Any, family: str, *, extra: list[str]) -> verdict.Verdict:
    return inspect_file.inspect(source, family, allowed.allowed(extra))


# -- where it is shown --------------------------------------------------------------------


def test_the_file_page_shows_the_format_and_the_imports_of_loading(
    publish: Publish, client: Client
) -> None:
    publish(model_pt=GOOD, x_gguf=b"GGUF\3")
    page = client.get("/acme/model/blob/main/model.pt").content.decode()
    assert "PyTorch zip, 2 tensors" in page
    assert "torch._utils._rebuild_tensor_v2" in page
    opaque = client.get("/acme/model/blob/main/x.gguf").content.decode()
    assert "Not inspected" in opaque
    assert "not inspected: GGUF" in client.get("/acme/model/tree/main").content.decode()


@pytest.mark.requirement("IN-11")
def test_code_is_labelled_on_pages_in_the_api_and_in_the_hub_s_fields(
    publish: Publish, client: Client
) -> None:
    publish(modeling_py=b"import torch\n", c_json=b"{}")
    page = client.get("/acme/model/blob/main/modeling.py").text
    assert "a program, which the portal does not check" in page
    assert "code: source code" in client.get("/acme/model/tree/main").text
    files = client.get("/api/v1/checkpoints/acme/model/files").json()["files"]
    outcomes = {one["path"]: one["inspection"]["outcome"] for one in files}
    assert outcomes == {"modeling.py": "code", "c.json": "inspected"}
    listed = client.get("/api/models/acme/model/tree/main?expand=true").json()
    statuses = {one["path"]: one["securityFileStatus"]["status"] for one in listed}
    assert statuses == {"modeling.py": "caution", "c.json": "safe"}


def test_the_api_returns_it_too(publish: Publish, client: Client) -> None:
    publish(model_pt=GOOD, x_gguf=b"GGUF\3")
    files = client.get("/api/v1/checkpoints/acme/model/files").json()["files"]
    told = {one["path"]: one["inspection"] for one in files}
    assert (told["model.pt"]["outcome"], told["model.pt"]["tensors"]) == ("inspected", 2)
    assert told["x.gguf"]["outcome"] == "not_inspected"


def test_the_hubs_fields_contain_it_where_its_client_reads_them(
    publish: Publish, client: Client
) -> None:
    publish(model_pt=GOOD, x_gguf=b"GGUF\3")
    listed = client.get("/api/models/acme/model/tree/main?expand=true").json()
    told = {one["path"]: one["securityFileStatus"] for one in listed}
    assert told["model.pt"]["status"] == "safe"
    assert told["model.pt"]["pickleImportScan"]["status"] == "innocuous"
    names = [
        (one["module"], one["name"])
        for one in told["model.pt"]["pickleImportScan"]["pickleImports"]
    ]
    assert ("torch", "FloatStorage") in names
    assert told["x.gguf"] == {
        "status": "unscanned",
        "avScan": {"status": "unscanned"},
        "pickleImportScan": None,
    }
    info = client.get("/api/models/acme/model?securityStatus=true").json()
    assert info["securityRepoStatus"] == {"scansDone": True, "filesWithIssues": []}
    assert "securityRepoStatus" not in json.dumps(client.get("/api/models/acme/model").json())
