"""Restore a backup into a scratch place and check the restored portal there.

The running install does not change.
"""

import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from portal.backup import keys, layout
from portal.databases import checks, postgres, sqlite
from portal.errors import BackupError
from weights.storage import store_at


def run(
    folder: Path,
    say: Callable[[str], None],
    *,
    sample: int | None = None,
    blobs: str = "",
    scratch: Path | None = None,
) -> None:
    """Restore and check a backup. Raises BackupError after all checks have run.

    `blobs` is the address of the store to compare with, if not the one that the backup names;
    `sample` is how many blobs to read instead of all.
    """
    index = layout.read(folder)
    say(index.summary())
    if scratch is not None and not scratch.is_dir():
        raise BackupError(f"{scratch} is not a folder; use an existing one for --scratch")
    store = store_at(layout.blob_address(folder, index, blobs)).address
    say(f"keys: {', '.join(keys.check(folder / layout.KEYS)) or 'none in this backup'}")
    name = f"weighbridge_drill_{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory(prefix="drill-", dir=scratch) as temporary:
        restored = postgres.restored if index.vendor == "postgresql" else sqlite.restored
        with restored(folder / index.database, Path(temporary), name) as url:
            say("database: restored")
            failed = checks.failures(url, store, sample, say)
    if index.damaged:
        say(f"damaged when it was taken: {len(index.damaged)} blobs")
        failed.append("blobs that were damaged before")
    if failed:
        raise BackupError(f"the drill failed: {', '.join(failed)}; see the lines above")
