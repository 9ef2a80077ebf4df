"""Facts counted from published files."""

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.background.models import FailedItem
from tests.support import factories
from tests.weights.inspection import gguf_files
from weights import tasks
from weights.catalogue import file_facts, measured
from weights.catalogue.measured import architecture, counting, weight_files
from weights.catalogue.measured.weight_files import WeightFile
from weights.catalogue.models import FileFacts, MeasuredFacts
from weights.hardware_fit.model_shape import shape_of
from weights.inspection.formats.verdict import VERSION
from weights.integrity import verification
from weights.publishing.models import Revision
from weights.publishing.synthetic.torch_zip import write_torch
from weights.publishing.synthetic.values import Tensor, Values
from weights.storage.models import Blob

pytestmark = pytest.mark.django_db

CONFIG = {
    "architectures": ["OPTForCausalLM"],
    "model_type": "opt",
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "hidden_size": 64,
    "max_position_embeddings": 2048,
    "vocab_size": 50272,
}


def torch_file(folder: Path, **tensors: tuple[int, ...]) -> bytes:
    path = folder / "pytorch_model.bin"
    write_torch(path, {name: Tensor(name, shape) for name, shape in tensors.items()}, Values(0))
    return path.read_bytes()


def inspect_all() -> None:
    Blob.objects.update(inspect_due_at=timezone.now())
    for blob in Blob.objects.all():
        verification.inspect(blob.pk)


def published(files: dict[str, bytes], **facts: Any) -> Revision:
    """A revision whose files were inspected, and then measured by the sweep."""
    revision = factories.published("acme/model", files=files, **facts)
    inspect_all()
    tasks.sweep()
    return revision


def test_a_pytorch_zip_is_counted_by_its_storages(
    client: Client, store: Path, tmp_path: Path
) -> None:
    content = torch_file(tmp_path, a=(10, 20), b=(5,))
    revision = published({"pytorch_model.bin": content, "config.json": json.dumps(CONFIG).encode()})
    row = MeasuredFacts.objects.get(revision=revision)
    assert (row.counted_from, row.formats) == ("pytorch", ["pytorch"])
    assert (row.tensor_types, row.parameters) == ({"F16": 205}, 205)
    assert row.weight_bytes == len(content)
    assert row.architecture["layers"] == 12
    info = client.get("/api/models/acme/model").json()
    assert info["config"] == {"architectures": ["OPTForCausalLM"], "model_type": "opt"}
    assert "safetensors" not in info


def test_a_storage_of_another_size_than_its_member_is_not_counted(
    store: Path, tmp_path: Path
) -> None:
    content = torch_file(tmp_path, a=(10, 20))
    target = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        for item in old.infolist():
            data = old.read(item)
            new.writestr(item, data[:-2] if item.filename.endswith("data/0") else data)
    revision = published({"pytorch_model.bin": target.getvalue()})
    row = MeasuredFacts.objects.get(revision=revision)
    assert (row.counted_from, row.tensor_types, row.parameters) == ("", {}, None)


def test_a_gguf_file_is_counted_and_states_its_architecture(client: Client, store: Path) -> None:
    revision = published({"b-Q8.gguf": gguf_files.gguf(tensors=[]), "a-Q4.gguf": gguf_files.gguf()})
    row = MeasuredFacts.objects.get(revision=revision)
    assert (row.counted_from, row.parameters) == ("gguf", 8736)
    assert row.architecture["heads"] == 4
    assert client.get("/api/models/acme/model").json()["gguf"] == {
        "total": 8736,
        "architecture": "llama",
        "context_length": 2048,
    }
    shape = shape_of(revision.checkpoint, MeasuredFacts.objects.get(revision=revision))
    assert (shape.layers, shape.kv_heads, shape.d_model) == (2, 2, 64)
    assert shape.published_bytes == 16384 + 288 + 128


def test_parts_of_model_parallelism_are_counted_by_type_alone(store: Path, tmp_path: Path) -> None:
    content = torch_file(tmp_path, a=(10, 20))
    shards = {f"reshard-model_part-{part}-shard0.pt": content for part in (0, 1)}
    row = MeasuredFacts.objects.get(revision=published(shards))
    assert (row.tensor_types, row.parameters) == ({"F16": 400}, None)


def test_counted_facts_win_over_declared_ones_and_say_so(store: Path) -> None:
    declared = {
        "layers": {"value": 96, "source": "Zhang et al."},
        "heads": {"value": 8, "source": "Zhang et al."},
        "carbon": {"value": "75 t", "source": "Zhang et al."},
    }
    revision = published({"config.json": json.dumps(CONFIG).encode()}, facts=declared)
    merged = measured.merged_facts(
        revision.checkpoint, MeasuredFacts.objects.get(revision=revision)
    )
    assert merged["layers"] == {
        "value": 12,
        "source": "the published config.json",
        "status": "counted",
        "note": "declared: 96 (Zhang et al.)",
    }
    assert "note" not in merged["heads"]
    assert merged["carbon"] == declared["carbon"]
    assert measured.merged_facts(revision.checkpoint, None) == declared


def test_new_rules_count_every_blob_and_revision_again(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = published({"pytorch_model.bin": torch_file(tmp_path, a=(3,))})
    FileFacts.objects.update(facts={"F16": 1}, version=VERSION - 1)
    MeasuredFacts.objects.update(version=VERSION - 1, tensor_types={"F16": 1})
    verification.reinspect_outdated()
    tasks.sweep()
    assert MeasuredFacts.objects.get(revision=revision).tensor_types == {"F16": 1}
    Blob.objects.get().inspections.update(version=VERSION - 1)
    assert verification.reinspect_outdated() == 1
    verification.inspect(Blob.objects.get().pk)
    tasks.sweep()
    row = MeasuredFacts.objects.get(revision=revision)
    assert (row.tensor_types, row.version) == ({"F16": 3}, VERSION)


def test_a_revision_that_cannot_be_measured_is_shown_and_stops_no_other(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = factories.published("acme/bad", files={"config.json": b'{"model_type": "a"}'})
    good = factories.published("acme/good", files={"config.json": b'{"model_type": "b"}'})
    count = counting.count

    def poisoned(revision: Revision) -> MeasuredFacts:
        if revision == bad:
            raise ValueError("poison")
        return count(revision)

    with monkeypatch.context() as patch:
        # No revision is known that cannot be counted; the next one will be a fault of ours.
        patch.setattr(counting, "count", poisoned)
        tasks.sweep()
    assert list(MeasuredFacts.objects.values_list("revision", flat=True)) == [good.pk]
    failed = FailedItem.objects.get()
    assert (failed.step, failed.item) == ("measuring of revisions", bad.pk)


def test_a_configuration_read_by_old_rules_is_read_again(store: Path) -> None:
    content = json.dumps(CONFIG).encode()
    revision = factories.published("acme/old", files={"config.json": content})
    blob = revision.files.get().blob
    FileFacts.objects.create(blob=blob, kind="config", facts={"model_type": "opt"})
    file_facts.sweep()
    assert FileFacts.objects.get().facts["layers"] == 12
    assert MeasuredFacts.objects.get().architecture["vocab_rows"] == 50272


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"n_layer": 12, "n_head": 12, "n_embd": 768}, {"layers": 12, "heads": 12, "d_model": 768}),
        ({"text_config": {"hidden_size": 8}, "num_hidden_layers": 2}, {"layers": 2, "d_model": 8}),
        ({"multi_query": True, "num_attention_heads": 71}, {"heads": 71, "kv_heads": 1}),
        ({"hidden_size": True, "num_hidden_layers": -1, "vocab_size": 2**63}, {}),
        ({"hidden_size": "9" * 5000, "architectures": [1], "model_type": []}, {}),
        ({"model_type": "a\0" + "b" * 200}, {"model_type": "a\ufffd" + "b" * 98}),
    ],
    ids=range(6),
)
def test_configurations_are_read_by_their_usual_names(values: Any, found: Any) -> None:
    assert {key: architecture.of_config(values)[key] for key in found} == found
    assert set(architecture.of_config(values)) == set(found)


def files(*paths: str) -> list[WeightFile]:
    return [WeightFile(path, None, number, 1) for number, path in enumerate(paths)]


@pytest.mark.parametrize(
    ("paths", "counted"),
    [
        (["pytorch_model.bin", "model.safetensors"], ["model.safetensors"]),
        (["model-1-of-2.safetensors", "model-2-of-2.safetensors", "x.gguf"], None),
        (["pytorch_model-1-of-1.bin", "training_args.bin"], ["pytorch_model-1-of-1.bin"]),
        (["b.gguf", "a.gguf"], ["a.gguf"]),
        (
            ["a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "b.gguf"],
            ["a-00001-of-00002.gguf", "a-00002-of-00002.gguf"],
        ),
        (["weights.pt", "optimizer.pt", "README.md"], ["weights.pt"]),
        (["one.pt", "two.pt"], []),
    ],
    ids=range(7),
)
def test_the_files_that_hold_the_model_once_are_counted(
    paths: list[str], counted: list[str] | None
) -> None:
    chosen = [file.path for file in weight_files.counted_files(files(*paths))]
    assert chosen == (paths[:2] if counted is None else counted)
