"""Synthetic checkpoints: real layouts that the real libraries read, always the same."""

import hashlib
import io
import json
import pickletools
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from weights.publishing.synthetic import (
    hub,
    metaseq,
    write_hub_checkpoint,
    write_metaseq_checkpoint,
)

pytestmark = pytest.mark.one_database

PICKLE_IMPORTS_OF_REAL_SHARDS = {
    "collections OrderedDict",
    "torch HalfStorage",
    "torch._utils _rebuild_tensor_v2",
}


@pytest.fixture(scope="module")
def hub_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    write_hub_checkpoint(folder, card="# Card\n")
    return folder


@pytest.fixture(scope="module")
def shard_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metaseq")
    write_metaseq_checkpoint(folder, card="# Card\n")
    return folder


def digest_of(folder: Path) -> str:
    """One hash over the names and bytes of all files."""
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        total.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


@pytest.mark.slow
def test_the_safetensors_library_reads_every_tensor(hub_folder: Path) -> None:
    expected = {tensor.name: tensor.shape for tensor in hub.tensors()}
    with safe_open(hub_folder / "model.safetensors", framework="np") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        assert file.metadata()["synthetic"] == "true"
    assert {name: value.shape for name, value in found.items()} == expected
    assert all(np.isfinite(value).all() for value in found.values())
    assert all(value.dtype == np.float16 for value in found.values())


@pytest.mark.slow
def test_configuration_and_tokenizer_fit_the_weights(hub_folder: Path) -> None:
    config = json.loads((hub_folder / "config.json").read_text())
    vocabulary = json.loads((hub_folder / "vocab.json").read_text())
    assert config["model_type"] == "opt"
    assert config["synthetic"] == "synthetic weights, random, seed 0"
    assert sorted(vocabulary.values()) == list(range(50265))
    assert config["vocab_size"] >= len(vocabulary)


@pytest.mark.slow
def test_the_shards_have_exactly_the_published_names(shard_folder: Path) -> None:
    expected = {
        f"checkpoint_last-model_part-{part}-shard{shard}.pt"
        for part in range(8)
        for shard in range(124)
    }
    assert len(expected) == 992
    assert {path.name for path in shard_folder.glob("*.pt")} == expected
    others = {path.name for path in shard_folder.iterdir()} - expected
    assert others == {"README.md", "md5sum_shards.csv"}


def test_the_md5_list_names_every_shard_with_its_true_sum(shard_folder: Path) -> None:
    head, *lines = (shard_folder / "md5sum_shards.csv").read_text().splitlines()
    listed = dict(line.split(",") for line in lines)
    assert head == "shard,md5sum"
    assert list(listed) == [name for _, _, name in metaseq.shard_names()]
    assert len(set(listed.values())) == 992
    for name in list(listed)[::97]:
        content = (shard_folder / name).read_bytes()
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == listed[name]


@pytest.mark.slow
def test_a_shard_is_a_sound_pytorch_zip_with_the_imports_of_a_real_one(shard_folder: Path) -> None:
    name = "checkpoint_last-model_part-5-shard51"
    with zipfile.ZipFile(shard_folder / f"{name}.pt") as archive:
        assert archive.testzip() is None
        members = {info.filename: info for info in archive.infolist()}
        assert set(members) == {
            f"{name}/{member}"
            for member in ("data.pkl", "byteorder", "data/0", "data/1", "version")
        }
        assert all(info.compress_type == zipfile.ZIP_STORED for info in members.values())
        program = archive.read(f"{name}/data.pkl")
    found = {arg for code, arg, _ in pickletools.genops(program) if code.name == "GLOBAL"}
    assert found == PICKLE_IMPORTS_OF_REAL_SHARDS
    pickletools.dis(program, out=io.StringIO())  # raises where the program is unsound


def test_shards_stay_just_under_64_kib_and_all_differ(shard_folder: Path) -> None:
    shards = list(shard_folder.glob("*.pt"))
    assert all(60_000 < path.stat().st_size <= 65_536 for path in shards)
    assert len({hashlib.sha256(path.read_bytes()).digest() for path in shards}) == 992


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(
    hub_folder: Path, shard_folder: Path, tmp_path: Path
) -> None:
    again, other, shards = tmp_path / "again", tmp_path / "other", tmp_path / "shards"
    for folder in (again, other, shards):
        folder.mkdir()
    write_hub_checkpoint(again, card="# Card\n")
    write_hub_checkpoint(other, card="# Card\n", seed=1)
    write_metaseq_checkpoint(shards, card="# Card\n")
    assert digest_of(again) == digest_of(hub_folder) != digest_of(other)
    assert digest_of(shards) == digest_of(shard_folder)
