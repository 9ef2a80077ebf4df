"""What pickle loaders decompress themselves is refused; what only begins like it is not."""

import bz2
import gzip
import lzma
import random
import struct
import zlib

import pytest

from tests.weights.inspection import pickle_corpus, tar_corpus
from tests.weights.inspection.bytes_source import BytesSource
from weights.inspection import families, inspect_file
from weights.inspection.formats.allowed import allowed
from weights.inspection.formats.verdict import Verdict

pytestmark = pytest.mark.one_database

RUNS = pickle_corpus.called("os.system")
#: A stored block of deflate that holds nothing and is not the last one.
EMPTY_BLOCK = b"\0\0\0\xff\xff"


def looked_at(content: bytes, name: str) -> Verdict:
    return inspect_file.inspect(BytesSource(content), families.family_of(name), allowed())


def _by_old_joblib(content: bytes) -> bytes:
    return b"ZF" + hex(len(content)).encode().ljust(19) + zlib.compress(content)


HOSTILE = {
    "gzip": gzip.compress(RUNS),
    "bzip2": bz2.compress(RUNS),
    "xz": lzma.compress(RUNS),
    "LZMA": lzma.compress(RUNS, lzma.FORMAT_ALONE),
    **{f"zlib, level {n}": zlib.compress(RUNS, n) for n in (0, 1, 6, 9)},
    "zlib, damaged behind the pickle": zlib.compress(RUNS + bytes(9000), 0)[:-3000] + b"\xff" * 99,
    "zlib, behind blocks of nothing": b"\x78\x01" + EMPTY_BLOCK * 20_000 + zlib.compress(RUNS)[2:],
    "Zstandard": b"\x28\xb5\x2f\xfd\x20" + bytes(20),
    "LZ4": b"\x04\x22\x4d\x18" + bytes(20),
    "an old joblib": _by_old_joblib(RUNS),
}


@pytest.mark.requirement("IN-5")
@pytest.mark.parametrize("label", HOSTILE)
@pytest.mark.parametrize("name", ["a.pkl", "a.joblib", "a.pkl.gz"])
def test_in_st_a_compressed_pickle_is_refused(label: str, name: str) -> None:
    verdict = looked_at(HOSTILE[label], name)
    assert (verdict.outcome, verdict.read_to_end) == ("refused", False)
    assert verdict.reason == (
        f"it is compressed by {label.partition(',')[0]}; publish what is inside, unpacked"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"x marks the spot",
        b"]\0",
        struct.pack("<8H", 93, 7, 262, 50256, 11, 2, 3, 4) * 10,
        b"\x78\x9c" + b"\xff" * 100,
        b"ZFS is a file system",
        b"BZ",
        lzma.compress(RUNS, lzma.FORMAT_ALONE)[:13],
    ],
)
def test_a_file_with_only_the_magic_bytes_is_not_inspected(content: bytes) -> None:
    assert looked_at(content, "tokens.bin").outcome == "not_inspected"


def test_raw_tensors_that_begin_with_the_short_signatures_are_hardly_ever_taken_for_it() -> None:
    chance = random.Random(1)
    starts = [b"\x78" + bytes([n]) for n in range(256)] + [b"\x5d\0"] * 256
    refused = [
        one
        for one in starts
        if looked_at(one + chance.randbytes(500), "a.bin").reason[:5] == "it is"
    ]
    assert len(refused) <= 4  # of 512 that were chosen from 65,536 of each kind


@pytest.mark.parametrize(
    "name",
    [
        *(
            "a.pt",
            "a.PTH",
            "a.th",
            "a.ptl",
            "a.bin",
            "a.ckpt",
            "a.pkl",
            "a.pickle",
            "a.p",
            "a.dill",
        ),
        *("a.joblib", "a.sav", ".pt", "b/.bin", "a.pt.", "a.pt ", "a.pth.tar", "a.pkl.gz"),
        *("a.pickle.bz2", "a.joblib.xz", "a.pkl.tar.gz", "a.pkl.zip", "a.joblib.z"),
    ],
)
def test_in_st_files_that_loaders_unpickle_are_inspected_as_pickles(name: str) -> None:
    assert families.family_of(name) == families.PICKLE
    assert looked_at(RUNS, name).imports == ["os.system"]


@pytest.mark.parametrize(
    ("name", "family"),
    [
        *(
            ("pt", "other"),
            ("a.pt/notes", "other"),
            ("vectors.bin.gz", "other"),
            ("a.tar", "other"),
        ),
        *(("a.mar", "other"), (".gz", "other"), ("", "other"), ("a.txt", "other")),
        *(
            (".safetensors", "safetensors"),
            ("a.safetensors. ", "safetensors"),
            ("a.pt.gguf", "gguf"),
        ),
    ],
)
def test_other_names_are_what_they_were(name: str, family: str) -> None:
    assert families.family_of(name) == family


def test_an_archive_written_by_torch_under_its_file_name_passes() -> None:
    assert looked_at(pickle_corpus.state(1), "model.pth.tar").outcome == "inspected"
    assert looked_at(tar_corpus.archive(), "model.pth.tar").outcome == "refused"
