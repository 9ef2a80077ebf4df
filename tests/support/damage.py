"""Damage stored files without changing their times, like a failing disk."""

from pathlib import Path

from weights.storage import blob_storage
from weights.storage.models import Blob


def flip_unseen(blob: Blob, place: int = -1) -> None:
    """Flip one bit of the stored file at index `place`, and keep its fingerprint valid.

    A write changes the ctime, which cannot be restored, so the new mark is stored in the database.
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
