"""Real loaders run no command from a file that passes inspection."""

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import tools
from tests.weights.inspection.bytes_source import BytesSource
from tests.weights.inspection.loaders import corpus, run_loaders
from weights.inspection import families, inspect_file
from weights.inspection.formats.allowed import allowed

pytestmark = [pytest.mark.one_database, pytest.mark.slow]

ALTERED = int(os.environ.get("LOADER_EXAMPLES", "150"))
#: What names make of a file differs by family; `other` stands for those without a parser.
FAMILIES = ("other", "pickle", "safetensors", "code", "npy", "onnx")
#: How pandas is told the compression, by the first word of a label.
_SUFFIXES = {
    **{"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "LZMA": ".xz", "zip": ".zip", "tar": ".tar"},
    **{"Zstandard": ".zst", "tar by gzip": ".tar.gz", "tar by bzip2": ".tar.bz2"},
    **{"tar by xz": ".tar.xz"},
}


def write(folder: Path, files: dict[str, bytes]) -> dict[str, str]:
    """Writes the files; returns their labels by the names that they got."""
    labels = {}
    for number, (label, content) in enumerate(files.items()):
        kind, _, _ = label.partition(": ")
        suffix = _SUFFIXES.get(kind) or _SUFFIXES.get(kind.partition(" ")[0].strip(","), ".pk")
        name = f"{number:05}{suffix}"
        (folder / name).write_bytes(content)
        labels[name] = label
    return labels


def run(python: str, *arguments: str | Path) -> str:
    command = [python, "-I", str(run_loaders.__file__), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def executed(python: str, packages: list[str], folder: Path) -> dict[str, list[str]]:
    """By loader, the names of the files that ran a command."""
    with ThreadPoolExecutor(2) as pool:
        outputs = pool.map(lambda package: run(python, package, folder), packages)
    return {name: files for output in outputs for name, files in json.loads(output).items()}


def passed(content: bytes) -> list[str]:
    """The families of names under which the inspection does not refuse a file."""
    verdicts = {
        family: inspect_file.inspect(BytesSource(content), family, allowed()) for family in FAMILIES
    }
    return [f"{one} ({v.outcome})" for one, v in verdicts.items() if v.outcome != "refused"]


@pytest.mark.requirement("IN-10")
@pytest.mark.needs("loaders")
@pytest.mark.processes
def test_in_st_whatever_runs_a_command_when_it_is_loaded_is_refused(tmp_path: Path) -> None:
    python = tools.find("loaders")
    assert python is not None
    prepared, folder = tmp_path / "prepared", tmp_path / "files"
    prepared.mkdir()
    folder.mkdir()
    run(python, "prepare", prepared)
    written = {path.name: path.read_bytes() for path in prepared.iterdir()}
    files = corpus.hostile() | corpus.altered(ALTERED) | written
    labels = write(folder, files)
    found = executed(python, json.loads(run(python, "list")), folder)
    counts = Counter({loader: len(names) for loader, names in found.items()})
    print(f"{len(files)} files:", dict(counts))  # noqa: T201  # with `pytest -s`
    runs = {labels[name] for names in found.values() for name in names}
    assert {label: passed(files[label]) for label in runs if passed(files[label])} == {}
    # The corpus is worth its name: every loader but those of HDF5 runs something in it. That of
    # pandas needs PyTables, which is not installed beside it.
    assert {loader for loader in found if not counts[loader]} <= {"h5py", "pandas, HDF5"}
    assert len(runs & set(corpus.hostile())) > 180


@pytest.mark.requirement("IN-10")
@pytest.mark.needs("loaders")
@pytest.mark.processes
def test_in_st_whatever_altered_pickle_runs_a_command_is_refused(tmp_path: Path) -> None:
    python = tools.find("loaders")
    assert python is not None
    files = corpus.altered_pickles(10 * ALTERED)
    labels = write(tmp_path, files)
    runs = {
        labels[name] for found in executed(python, ["pickle"], tmp_path).values() for name in found
    }
    assert {label: passed(files[label]) for label in runs if passed(files[label])} == {}
    assert len(runs) > ALTERED / 5


@pytest.mark.transformers
def test_whatever_runs_a_command_when_torch_loads_it_is_refused(tmp_path: Path) -> None:
    files = corpus.hostile() | corpus.altered(ALTERED)
    labels = write(tmp_path, files)
    runs = {labels[name] for name in executed(sys.executable, ["torch"], tmp_path)["torch"]}
    assert {label: passed(files[label]) for label in runs if passed(files[label])} == {}
    assert runs


@pytest.mark.requirement("IN-10")
def test_in_st_every_hostile_file_is_refused_under_every_name() -> None:
    every = {families.family_of(name) for name in corpus.NAMES}
    accepted = [
        (label, family)
        for label, content in corpus.hostile().items()
        for family in every - {"other", "npz", "h5", "keras", "gguf", "pb"}
        if inspect_file.inspect(BytesSource(content), family, allowed()).outcome != "refused"
        and "from outside" not in label  # no loader of other names resolves a reference
    ]
    assert accepted == []
