"""A misbehaving parser refuses its file and has no access to anything else."""

import sys
import time
from pathlib import Path

import pytest

from tests.weights.inspection import pickle_corpus, safetensors_corpus, zip_corpus
from tests.weights.inspection.bytes_source import BytesSource
from weights.errors import StorageUnavailable
from weights.inspection import runner
from weights.inspection.runner import Broken, Job

pytestmark = pytest.mark.one_database

BAD = "tests.weights.inspection.misbehaviour"
SOURCE = BytesSource(bytes(1 << 20))


@pytest.mark.slow
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
def test_in_st_a_misbehaving_child_refuses_the_file_with_a_reason(does: str, words: str) -> None:
    with pytest.raises(Broken, match=words):
        runner.run(Job(f"{BAD}:{does}"), SOURCE)
    good = BytesSource(pickle_corpus.state(1))
    assert runner.inspect(good, "pickle", extra=[]).outcome == "inspected"


@pytest.mark.slow
@pytest.mark.requirement("IN-7")
def test_in_st_a_child_that_hangs_is_killed_after_its_timeout() -> None:
    began = time.monotonic()
    with pytest.raises(Broken, match=r"longer than 0.5 seconds"):
        runner.run(Job(f"{BAD}:hang"), SOURCE, seconds=0.5)
    assert time.monotonic() - began < 10


@pytest.mark.requirement("IN-7")
@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is specific to Linux")
def test_in_st_a_child_reaches_no_network_no_process_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    found = runner.run(Job(f"{BAD}:reach_out", {"folder": str(tmp_path)}), SOURCE)
    assert found.pop("kernel") is True
    # Nothing of the portal's: Python sets the first itself, and numpy asks for the second.
    assert set(found.pop("environment")) <= {"LC_CTYPE", "OPENBLAS_NUM_THREADS"}
    assert [found.pop(name) for name in ("socket", "fork", "write")] == ["refused"] * 3
    assert set(found.values()) == {-1}
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_reading_the_store_does_not_count_as_the_childs_time() -> None:
    class Slow(BytesSource):
        def read(self, start: int, length: int) -> bytes:
            time.sleep(0.4)
            return super().read(start, length)

    source = Slow(pickle_corpus.state(1))
    arguments = {"family": "pickle", "extra": []}
    found = runner.run(
        Job("weights.inspection.inspect_file:inspect_as_json", arguments), source, seconds=0.7
    )
    assert found["outcome"] == "inspected"


@pytest.mark.slow
def test_an_unavailable_store_raises_and_gives_no_verdict() -> None:
    class Gone(BytesSource):
        def read(self, start: int, length: int) -> bytes:
            raise StorageUnavailable("gone")

    with pytest.raises(StorageUnavailable):
        runner.inspect(Gone(b"\x80\2N."), "pickle", extra=[])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "content", "outcome"),
    [
        ("safetensors", safetensors_corpus.named("a"), "inspected"),
        ("safetensors", safetensors_corpus.named("a/b"), "refused"),
        ("pickle", pickle_corpus.called("os.system"), "refused"),
        ("other", b"text", "inspected"),
    ],
)
def test_the_child_returns_the_verdict_of_the_rules(
    family: str, content: bytes, outcome: str
) -> None:
    verdict = runner.inspect(BytesSource(content), family, extra=[])
    assert verdict.outcome == outcome


@pytest.mark.parametrize(("each", "most"), [(100, 1), (20_000, 40)])
def test_a_small_file_takes_one_read_and_a_large_one_a_read_per_member(
    each: int, most: int
) -> None:
    class Counting(BytesSource):
        reads = 0

        def read(self, start: int, length: int) -> bytes:
            self.reads += 1
            return super().read(start, length)

    members = zip_corpus.pt(count=30)
    for tensor in (part for part in members if "/data/" in str(part.name)):
        tensor.content = bytes(each)
    source = Counting(zip_corpus.packed(members))
    assert runner.inspect(source, "pickle", extra=[]).outcome == "inspected"
    assert source.reads <= most


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
