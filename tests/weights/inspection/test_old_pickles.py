"""A pickle without a signature is detected by following it like an unpickler."""

import io
import pickle
import random
import struct
from typing import Any, NoReturn

import pytest

from tests.weights.inspection import old_pickle_corpus
from tests.weights.inspection.bytes_source import BytesSource
from weights.inspection import families, inspect_file
from weights.inspection.content import text
from weights.inspection.formats import pickle_detection
from weights.inspection.formats.allowed import allowed
from weights.inspection.formats.source import Source

pytestmark = pytest.mark.one_database

HOSTILE = old_pickle_corpus.hostile()


class _Imports(Exception):
    pass


class _Reaches(pickle.Unpickler):
    """Python's own unpickler in C, stopped before it imports anything."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise _Imports

    def persistent_load(self, pid: Any) -> Any:
        return pid


def imports(content: bytes) -> bool:
    """Whether an unpickler would come to import something, however it reads old texts."""
    for encoding in ("ascii", "latin1"):
        try:
            _Reaches(io.BytesIO(content), encoding=encoding).load()
        except _Imports:
            return True
        except Exception:  # noqa: S112  # it fails in as many ways as there are bytes
            continue
    return False


def verdict_on(source: Source) -> tuple[str, str]:
    found = inspect_file.inspect(source, families.PICKLE, allowed())
    return found.outcome, found.reason


@pytest.mark.requirement("IN-2", "IN-5")
@pytest.mark.parametrize("label", HOSTILE)
def test_in_st_an_old_pickle_that_imports_is_refused_however_it_is_written(label: str) -> None:
    assert imports(HOSTILE[label])
    refusal = ("refused", "its pickle is older than protocol 2")
    assert verdict_on(BytesSource(HOSTILE[label])) == refusal


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
def test_in_st_the_inspector_finds_every_import_that_python_reaches() -> None:
    chance = random.Random(5)
    streams = [old_pickle_corpus.by_chance(chance) for _ in range(30_000)]
    importing = [content for content in streams if imports(content)]
    assert len(importing) > 2000
    passed = [one for one in importing if verdict_on(BytesSource(one))[0] != "refused"]
    assert passed == []


class _Called(Exception):
    pass


class _Caller:
    """Stands for whatever a pickle imports; calling it ends the unpickling."""

    def __new__(cls, *_: Any) -> NoReturn:
        raise _Called


class _Runs(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        super().find_class(module, name)
        return _Caller


def calls(content: bytes) -> bool:
    """Whether a loader that reads pickles from a file would come to call something."""
    for encoding in ("ascii", "latin1"):
        file = io.BytesIO(content)
        try:
            for _ in range(4):
                _Runs(file, encoding=encoding).load()
        except _Called:
            return True
        except Exception:  # noqa: S112  # it fails in as many ways as there are bytes
            continue
    return False


@pytest.mark.requirement("IN-10")
@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
def test_in_st_under_any_name_the_inspector_finds_every_call_that_python_reaches() -> None:
    streams = [old_pickle_corpus.by_chance(random.Random(n)) for n in range(4000)]
    calling = [content for content in streams if calls(content)]
    assert len(calling) > 200
    passed = [
        one
        for one in calling
        if not pickle_detection.is_executed(BytesSource(one), is_text=text.is_text(one, len(one)))
    ]
    assert passed == []


class _Far(BytesSource):
    """Bytes, then zeros without end, then other bytes."""

    def __init__(self, content: bytes, gap: int, rest: bytes) -> None:
        super().__init__(content)
        self._gap_ends, self._rest = len(content) + gap, rest
        self.size = self._gap_ends + len(rest)

    def read(self, start: int, length: int) -> bytes:
        length = max(0, min(length, self.size - start))
        near = super().read(start, length)
        past = start - self._gap_ends
        far = self._rest[max(0, past) : max(0, past + length)]
        return near + bytes(length - len(near) - len(far)) + far


def test_skipped_bytes_may_be_gigabytes_and_are_not_read() -> None:
    gap = 3 * 2**30
    source = _Far(b"X" + struct.pack("<I", gap), gap, b"0" + old_pickle_corpus.RUN)
    assert verdict_on(source) == ("refused", "its pickle is older than protocol 2")


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        b"N0" * (pickle_detection.MAX_STEPS // 2 + 1),
        b"V" + b"a" * (pickle_detection.MAX_READ_BYTES + 1),
    ],
    ids=["instructions", "a line"],
)
def test_in_st_an_old_pickle_too_long_to_follow_is_refused(content: bytes) -> None:
    outcome, reason = verdict_on(BytesSource(content + b"\n0" + old_pickle_corpus.RUN))
    assert (outcome, reason) == (
        "refused",
        "it reads as a pickle older than protocol 2 that does not end",
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"N",
        b"N0",
        b"0.0",
        b"(1",
        b"I am text\n.",
        b"c\n\n",
        b"N)R" + old_pickle_corpus.RUN,
        b"\x82\1" + old_pickle_corpus.RUN,
        b"h\1" + old_pickle_corpus.RUN,
        b"q\1" + old_pickle_corpus.RUN,
        b"T\xff\xff\xff\xff" + old_pickle_corpus.RUN,
        b"X\xff\xff\xff\xff" + old_pickle_corpus.RUN,
        b"Np-1\n0" + old_pickle_corpus.RUN,
    ],
)
def test_bytes_at_which_an_unpickler_fails_are_not_inspected(content: bytes) -> None:
    assert not imports(content)
    assert verdict_on(BytesSource(content))[0] == "not_inspected"


@pytest.mark.slow
def test_raw_tensors_and_tables_are_hardly_ever_taken_for_one() -> None:
    chance = random.Random(7)
    floats = [
        struct.pack("<750f", *(chance.gauss(0, 0.02) for _ in range(750))) for _ in range(300)
    ]
    halves = [
        struct.pack("<750e", *(chance.gauss(0, 0.02) for _ in range(750))) for _ in range(300)
    ]
    cut = [b"".join(one[n : n + 2] for n in range(2, 3000, 4)) for one in floats]  # bfloat16
    tables = ["\n".join(f"{n},{chance.random():.3f}" for n in range(100)) for _ in range(200)]
    lists = [f'{{"n": {n}, "of": [1, 2]}}' for n in range(200)]
    texts = [one.encode() for one in (*tables, *lists)]
    raw = [chance.randbytes(3000) for _ in range(2000)]
    whole = [one for one in (*raw, *floats, *halves, *cut, *texts) if not one.startswith(b"\x80")]
    refused = [one for one in whole if verdict_on(BytesSource(one))[0] == "refused"]
    assert len(refused) < len(whole) / 500
