"""Whatever Python opens as a tar archive is refused under a pickle's name."""

import io
import random
import tarfile
import zipfile

import pytest

from tests.weights.inspection import tar_corpus
from tests.weights.inspection.bytes_source import BytesSource
from weights.inspection import families, inspect_file
from weights.inspection.formats import tar_file
from weights.inspection.formats.allowed import allowed

pytestmark = pytest.mark.one_database

HOSTILE = tar_corpus.hostile()


def opens(content: bytes) -> bool:
    """Whether `torch.load` would find a member to unpickle."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            return next(iter(archive), None) is not None
    except tarfile.TarError:
        return False


@pytest.mark.requirement("IN-5")
@pytest.mark.parametrize("label", HOSTILE)
@pytest.mark.parametrize("name", ["model.pt", "pytorch_model.bin", "a.pkl"])
def test_in_st_a_tar_archive_is_refused_whatever_it_looks_like(label: str, name: str) -> None:
    assert opens(HOSTILE[label])
    verdict = inspect_file.inspect(BytesSource(HOSTILE[label]), families.family_of(name), allowed())
    assert verdict.outcome == "refused"
    assert "tar archive" in verdict.reason


def test_one_of_them_is_a_sound_zip_file_too() -> None:
    with zipfile.ZipFile(io.BytesIO(HOSTILE["within a zip"])) as archive:
        assert archive.namelist()[0] == "a/data/0"


def test_nothing_that_python_opens_is_missed() -> None:
    """Headers with a byte changed at random and a new sum, of each kind that a sum may have."""
    chance = random.Random(3)
    opened = 0
    for _ in range(600):
        header = bytearray(HOSTILE["of GNU"][:512])
        for _ in range(chance.randint(1, 3)):
            header[chance.randrange(512)] = chance.randrange(256)
        content = tar_corpus.summed(
            header, signed=chance.random() < 0.3, wide=chance.random() < 0.3
        )
        opened += opens(content + HOSTILE["plain"])
        assert tar_file.is_tar(content) >= opens(content + HOSTILE["plain"])
    assert opened > 300


@pytest.mark.parametrize("content", [b"", b"\0" * 511, b"\0" * 2048, b"7" * 512, b"\x80" * 512])
def test_raw_bytes_are_no_archive(content: bytes) -> None:
    assert not tar_file.is_tar(content)
    assert not opens(content)
