"""Check that nginx's user may read the blobs that nginx sends for the portal (ACCEL_LOCATION)."""

import os
import pwd
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from weights.storage import blob_storage

_PROCESSES = Path("/proc")
_REMEDY = "see docs/one-server.md#nginx-may-not-read-the-blobs"


class Reader(NamedTuple):
    """A user that reads files: its id, and the ids of its groups."""

    uid: int
    groups: frozenset[int]

    @property
    def name(self) -> str:
        with suppress(KeyError):
            return pwd.getpwuid(self.uid).pw_name
        return str(self.uid)

    def may(self, path: Path, right: int) -> bool:
        """True if the path's mode grants `right`, which is os.R_OK or os.X_OK."""
        found = path.stat()
        shift = 6 if self.uid == found.st_uid else 3 if found.st_gid in self.groups else 0
        return self.uid == 0 or bool(found.st_mode >> shift & right)


def check() -> tuple[str, str]:
    """`ok` or `alarm`, and a sentence. Other containers' processes cannot be seen."""
    storage = blob_storage()
    if not settings.ACCEL_LOCATION or not storage.is_local:
        return "ok", "not used: nginx sends no blobs (ACCEL_LOCATION)"
    folder = Path(storage.address.removeprefix("file://"))
    closed = {reader.name: closed_to(reader, folder) for reader in nginx_readers()}
    if not closed:
        return "ok", "not checked: no nginx is visible from this process"
    # Other nginx processes may be visible too, such as one in a container.
    if readers := sorted(name for name, path in closed.items() if path is None):
        return "ok", f"nginx ({', '.join(readers)}) may read the store"
    name, path = min(closed.items())
    return "alarm", f"nginx runs as {name}, who may not read {path}: {_REMEDY}"


def nginx_readers() -> set[Reader]:
    """The users of nginx's processes on this machine; root only if there are no others."""
    found = set()
    for status in _PROCESSES.glob("[0-9]*/status"):
        with suppress(OSError, ValueError):  # the process has ended
            facts = dict(line.split(":", 1) for line in status.read_text().splitlines())
            if facts["Name"].strip() == "nginx":
                groups = {int(word) for word in (facts["Gid"] + facts["Groups"]).split()}
                found.add(Reader(int(facts["Uid"].split()[1]), frozenset(groups)))
    return {reader for reader in found if reader.uid} or found


def closed_to(reader: Reader, folder: Path) -> Path | None:
    """The first path, down to a blob, that the reader may not enter or read; None if none."""
    blob = next(folder.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*"), folder / "none")
    folders = [each for each in reversed(blob.parents) if each.is_dir()]
    for each in folders:
        if not reader.may(each, os.X_OK):
            return each
    return None if not blob.is_file() or reader.may(blob, os.R_OK) else blob
