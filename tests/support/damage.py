"""Damage to stored files that no time of theirs shows, as when a disk fails."""

from pathlib import Path

from weights.storage import blob_storage
from weights.storage.models import Blob


def flip_unseen(blob: Blob, place: int = -1) -> None:
    """Flip one bit of the stored file and leave its mark as it was verified.

    A write changes the ctime, which nobody can set back: the database gets the new mark instead.
    """
    path = blob_storage().local_path(blob.sha256)
    assert path is not None
    _flip(path, place)
    found = blob_storage().stat(blob.sha256)
    assert found is not None
    Blob.objects.filter(pk=blob.pk).exclude(mark="").update(mark=found.mark)


def _flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x20
    path.write_bytes(content)
