"""Check a whole backup without restoring it: signature, files, and every blob."""

from collections.abc import Callable, Iterator
from pathlib import Path

from django.template.defaultfilters import pluralize

from accounts.management import progress_bars
from portal.backup import layout, signature
from portal.backup.layout import Index
from portal.databases.checks import Say
from portal.databases.dumps import BlobLine
from portal.errors import BackupError
from weights.errors import BlobMissing, StorageUnavailable
from weights.storage import BlobStorage, store_at
from weights.storage.hashing import sha256_of


def run(
    folder: Path,
    say: Say,
    report: Say,
    *,
    blobs: str = "",
    vkey: str = "",
    unsigned: bool = False,
) -> None:
    """Check the backup in `folder`; pass each fault to `report`. Raises BackupError for any fault.

    `blobs` is the address of the store to read, if not the one that the backup names.
    """
    signature.check(folder, say, vkey=vkey, unsigned=unsigned)
    index = layout.read_index(folder)
    bad_files = list(layout.faults(folder, index))
    say(f"files: {len(index.members)}, damaged {len(bad_files)}")
    for fault in bad_files:
        report(fault.reason)
    if any(fault.path == layout.BLOB_LIST for fault in bad_files):
        raise BackupError(f"{layout.BLOB_LIST} is damaged, so no blob was read; use another backup")
    bad_blobs = _check_blobs(folder, index, blobs, say, report)
    if bad_files or bad_blobs:
        raise BackupError(
            f"the backup is damaged: {len(bad_files)} file{pluralize(bad_files)} and"
            f" {bad_blobs} blob{pluralize(bad_blobs)}, named above;"
            " use another backup, or make a new one while the portal has good copies"
        )


def _check_blobs(folder: Path, index: Index, address: str, say: Say, report: Say) -> int:
    """Read every listed blob; returns how many are bad or missing."""
    store = store_at(layout.blob_address(folder, index, address))
    listed = list(layout.blob_list(folder))
    damaged_before = {line.partition(":")[0] for line in index.damaged}
    bad: list[str] = []
    with progress_bars.lazy_bar(sum(blob.size for blob in listed), "Reading") as advance:
        for blob in listed:
            before = " (as when it was made)" if blob.sha256 in damaged_before else ""
            bad += [f"{blob.sha256}: {fault}{before}" for fault in _faults(store, blob, advance)]
    for line in bad:  # after the progress bar, which they would interrupt
        report(line)
    say(f"blobs: {len(listed)} at {store.address}, damaged {len(bad)}")
    return len(bad)


def _faults(store: BlobStorage, blob: BlobLine, progress: Callable[[int], None]) -> Iterator[str]:
    """Yield why a blob is bad, or nothing."""
    try:
        size = store.size(blob.sha256)
        if size is None:
            yield "missing"
        elif size != blob.size:
            yield f"{size} bytes instead of {blob.size}"
        else:
            with store.open(blob.sha256) as stream:
                actual = sha256_of(stream, progress)
            if actual != blob.sha256:
                yield f"its bytes have SHA-256 {actual}"
    except BlobMissing:
        yield "missing"
    except (StorageUnavailable, OSError) as error:
        yield f"cannot be read ({' '.join(str(error).split())})"
