"""A parser that goes astray ends itself and refuses the file, and reaches nothing else."""

import sys
import time
from pathlib import Path

import pytest

from tests.weights.inspection import pickle_corpus, safetensors_corpus, zip_corpus
from weights.errors import StorageUnavailable
from weights.inspection import runner
from weights.inspection.formats.source import BytesSource
from weights.inspection.runner import Broken, Job

pytestmark = pytest.mark.one_database

BAD = "tests.weights.inspection.misbehaviour"
SOURCE = BytesSource(bytes(1 << 20))


@pytest.mark.requirement("IN-7")
@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("eat_memory", "more than 1 GiB"),
        ("crash", "crashed on it \\(SIGSEGV\\)"),
        ("leave", "failed on it"),
        ("raise_an_error", "failed on it"),
        ("ask_for_all", "reading too much"),
    ],
)
def test_in_st_a_child_that_goes_astray_is_a_refusal_with_its_reason(does: str, words: str) -> None:
    with pytest.raises(Broken, match=words):
        runner.run(Job(f"{BAD}:{does}"), SOURCE)
    good = BytesSource(pickle_corpus.state(1))
    assert runner.inspect(good, "pickle", extra=[]).outcome == "inspected"


@pytest.mark.requirement("IN-7")
def test_in_st_a_child_that_hangs_is_killed_at_its_time() -> None:
    began = time.monotonic()
    with pytest.raises(Broken, match=r"longer than 0.5 seconds"):
        runner.run(Job(f"{BAD}:hang"), SOURCE, seconds=0.5)
    assert time.monotonic() - began < 10


@pytest.mark.requirement("IN-7")
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's filter is Linux's")
def test_in_st_a_child_reaches_no_network_no_process_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    found = runner.run(Job(f"{BAD}:reach_out", {"folder": str(tmp_path)}), SOURCE)
    assert found.pop("kernel") is True
    # Nothing of the portal's: Python sets the first itself, and numpy asks for the second.
    assert set(found.pop("environment")) <= {"LC_CTYPE", "OPENBLAS_NUM_THREADS"}
    assert [found.pop(name) for name in ("socket", "fork", "write")] == ["refused"] * 3
    assert set(found.values()) == {-1}
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_the_clock_stands_while_the_store_is_read() -> None:
    class Slow(BytesSource):
        def read(self, start: int, length: int) -> bytes:
            time.sleep(0.4)
            return super().read(start, length)

    source = Slow(pickle_corpus.state(1))
    arguments = {"family": "pickle", "extra": []}
    found = runner.run(Job("weights.inspection.job:inspect", arguments), source, seconds=0.7)
    assert found["outcome"] == "inspected"


def test_a_store_that_breaks_off_is_no_verdict() -> None:
    class Gone(BytesSource):
        def read(self, start: int, length: int) -> bytes:
            raise StorageUnavailable("gone")

    with pytest.raises(StorageUnavailable):
        runner.inspect(Gone(b"\x80\2N."), "pickle", extra=[])


@pytest.mark.parametrize(
    ("family", "content", "outcome"),
    [
        ("safetensors", safetensors_corpus.named("a"), "inspected"),
        ("safetensors", safetensors_corpus.named("a/b"), "refused"),
        ("pickle", pickle_corpus.called("os.system"), "refused"),
        ("other", b"text", "inspected"),
    ],
)
def test_the_child_comes_to_the_verdict_of_the_rules(
    family: str, content: bytes, outcome: str
) -> None:
    verdict = runner.inspect(BytesSource(content), family, extra=[])
    assert verdict.outcome == outcome


@pytest.mark.parametrize(("each", "most"), [(100, 1), (20_000, 40)])
def test_a_store_is_asked_once_for_a_small_file_and_once_a_member_for_a_large_one(
    each: int, most: int
) -> None:
    class Counting(BytesSource):
        asked = 0

        def read(self, start: int, length: int) -> bytes:
            self.asked += 1
            return super().read(start, length)

    members = zip_corpus.pt(count=30)
    for tensor in (part for part in members if "/data/" in str(part.name)):
        tensor.content = bytes(each)
    source = Counting(zip_corpus.packed(members))
    assert runner.inspect(source, "pickle", extra=[]).outcome == "inspected"
    assert source.asked <= most


def test_a_checkpoint_of_a_terabyte_is_opened_within_the_memory() -> None:
    header = safetensors_corpus.made({"a": safetensors_corpus.one(**_terabyte())})

    class Large(BytesSource):
        def read(self, start: int, length: int) -> bytes:
            return super().read(start, length).ljust(length, b"\0")

    source = Large(header)
    source.size += 2**40
    assert runner.inspect(source, "safetensors", extra=[]).outcome == "inspected"


def _terabyte() -> dict[str, list[int]]:
    return {"shape": [2**39], "data_offsets": [0, 2**40]}
