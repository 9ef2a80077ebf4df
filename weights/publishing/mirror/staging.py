"""Temporary files of a mirror: partial files, and a journal of the files already stored."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from weights.errors import SourceUnusable
from weights.publishing.digests import Digest
from weights.publishing.intake import StoredFile
from weights.publishing.mirror.source import SourceFile, SourceRevision

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Staging:
    """The state of one mirror between runs. `fetched` has the files of earlier runs by path.

    The journal proves that this source sent the bytes. A hash in the store proves nothing: a
    source may list the public hashes of gated files, and must not publish their bytes this way.
    """

    def __init__(self, prefix: Path, journal: int) -> None:
        self._prefix = prefix
        self._journal = journal
        self.fetched = dict(_read(journal))

    def note(self, stored: StoredFile) -> None:
        """Record in the journal that the store has this file."""
        self.fetched[stored.path] = stored
        line = json.dumps([stored.path, stored.size, *stored.digest])
        os.write(self._journal, f"{line}\n".encode())

    def partial(self, file: SourceFile) -> Path:
        return Path(f"{self._prefix}-{file.sha256 or file.git_oid}")

    def delete(self) -> None:
        """Delete the journal and leftover partial files, once the revision is recorded."""
        for path in self._prefix.parent.glob(f"{self._prefix.name}*"):
            path.unlink(missing_ok=True)


@contextmanager
def staging_of(source: SourceRevision, folder: Path) -> Iterator[Staging]:
    """The staging files of this source in `folder`; raises SourceUnusable if another run uses them.

    Their names begin with `mirror-`, so that the store's sweep deletes leftovers.
    """
    name = f"{source.hub} {source.repo_id} {source.commit}"
    prefix = folder / f"mirror-{hashlib.sha256(name.encode()).hexdigest()[:32]}"
    try:
        journal = os.open(prefix, _FLAGS | os.O_APPEND, 0o600)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceUnusable(f"there is no folder {folder}; is its disk mounted?") from error
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield Staging(prefix, journal)
    except BlockingIOError as error:
        raise SourceUnusable("another process mirrors this revision; wait until it ends") from error
    finally:
        os.close(journal)


def open_partial(path: Path) -> int:
    return os.open(path, _FLAGS, 0o600)


def _read(journal: int) -> Iterator[tuple[str, StoredFile]]:
    with open(journal, "rb", closefd=False) as stream:
        for line in stream:
            with suppress(ValueError, TypeError):  # the last line of a killed run
                path, size, *digest = json.loads(line)
                yield path, StoredFile(path, size, Digest(*digest), repaired=False)
