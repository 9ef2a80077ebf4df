"""A full test disk refuses to grow, and accepts writes again after space is freed."""

import pytest

from tests.conftest import MISSING
from tests.support import disks

pytestmark = pytest.mark.one_database


def test_a_full_disk_loses_nothing_and_accepts_more_once_there_is_space() -> None:
    if why := disks.why_none():
        pytest.skip(f"{MISSING}: {why}")
    with disks.small(4 << 20) as disk:
        kept = disk.folder / "kept"
        kept.write_bytes(b"k" * 100_000)
        disk.fill()
        with pytest.raises(OSError, match="No space left"):
            (disk.folder / "new").write_bytes(b"n" * 100_000)
        assert kept.read_bytes() == b"k" * 100_000
        disk.free()
        assert (disk.folder / "new").write_bytes(b"n" * 100_000)
    assert not kept.exists()
