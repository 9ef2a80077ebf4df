"""The demo checkpoints: published normally, clearly labelled, once per install."""

from pathlib import Path

import pytest
import yaml
from pytest_django import DjangoAssertNumQueries

from accounts.audit.models import AuditEvent
from weights.catalogue import opt_family
from weights.catalogue.models import Checkpoint
from weights.publishing import demo
from weights.publishing.models import Revision
from weights.publishing.synthetic.metaseq import shard_names
from weights.storage.models import Blob

pytestmark = pytest.mark.one_database


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def _catalogue(db: None, store: Path) -> None:
    opt_family.load()


@pytest.fixture
def small_demos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the open demo, for what does not depend on which it is."""
    # The second one is larger and published just as the first.
    monkeypatch.setattr(demo, "DEMOS", demo.DEMOS[:1])


@pytest.mark.slow
def test_both_demos_go_through_the_intake_and_wait_for_verification(workshop: Path) -> None:
    assert demo.publish_demos(workshop) == ["weighbridge/demo-open", "weighbridge/demo-gated"]
    for name, tier, files in [("demo-open", "open", 8), ("demo-gated", "opt-175b", 994)]:
        revision = Revision.objects.get(checkpoint__name=name)
        assert revision.checkpoint.synthetic
        assert revision.checkpoint.tier.slug == tier
        assert (revision.state, revision.file_count) == (Revision.State.PENDING, files)
        assert revision.checkpoint.published_at is None
    assert_layout_of_the_release(Revision.objects.get(checkpoint__name="demo-gated"))
    assert not Blob.objects.filter(state=Blob.State.VERIFIED).exists()
    assert not any(workshop.iterdir())


def assert_layout_of_the_release(revision: Revision) -> None:
    """992 different shards with part, shard and published MD5."""
    shards = revision.files.filter(path__endswith=".pt")
    found = {(file.part, file.shard, file.path) for file in shards}
    assert found == set(shard_names())
    assert not shards.filter(md5="").exists()
    assert shards.values("blob").distinct().count() == 992


@pytest.mark.parametrize("chosen", demo.DEMOS, ids=lambda chosen: chosen.repo_id)
def test_summary_and_card_say_plainly_that_the_weights_are_synthetic(chosen: demo.Demo) -> None:
    front, body = chosen.card.removeprefix("---\n").split("---\n", 1)
    facts = yaml.safe_load(front)
    assert chosen.summary.startswith("Synthetic: ")
    assert set(facts) >= {"license", "library_name", "pipeline_tag", "tags"}
    assert "synthetic" in facts["tags"]
    assert "**These weights are synthetic: random numbers that nobody trained." in body
    assert "$" not in body


@pytest.mark.slow
@pytest.mark.usefixtures("small_demos")
def test_a_second_start_repeats_nothing(
    workshop: Path, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    demo.publish_demos(workshop)
    with django_assert_num_queries(1):
        assert demo.publish_demos(workshop) == []
    assert AuditEvent.objects.filter(action="demo.published").count() == 1


@pytest.mark.usefixtures("small_demos")
def test_a_demo_that_its_owner_moved_to_another_tier_is_left_alone(workshop: Path) -> None:
    demo.publish_demos(workshop)
    Checkpoint.objects.filter(name="demo-open").update(title="Ours", private=True)
    demo.publish_demos(workshop)
    assert Checkpoint.objects.get(name="demo-open").title == "Ours"


class Killed(BaseException):
    """Ends the process immediately, as a signal would."""


@pytest.mark.slow
@pytest.mark.usefixtures("small_demos")
def test_a_start_killed_after_the_intake_is_finished_by_the_next(
    workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        # A kill at one statement, which no signal could time so well.
        patch.setattr(AuditEvent, "record", _die_at("demo.published"))
        with pytest.raises(Killed):
            demo.publish_demos(workshop)
    assert demo.publish_demos(workshop) == ["weighbridge/demo-open"]
    assert Revision.objects.count() == 1
    assert Checkpoint.objects.get(org="weighbridge").title == "Demo, open tier"


@pytest.mark.usefixtures("small_demos")
def test_files_left_by_a_kill_are_made_anew(workshop: Path) -> None:
    left = workshop / "demo" / "weighbridge" / "demo-open"
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"half of it")
    (left / "stray").write_bytes(b"not of this demo")
    demo.publish_demos(workshop)
    paths = Revision.objects.get().files.values_list("path", flat=True)
    assert "stray" not in paths
    assert not any(workshop.iterdir())


def _die_at(action: str) -> object:
    record = AuditEvent.record

    def recorder(name: str, **facts: object) -> AuditEvent:
        if name == action:
            raise Killed
        return record(name, **facts)  # type: ignore[arg-type]

    return recorder
