"""Prove a backup: restore it into a scratch place, and have the restored portal checked.

The running install is not touched; only a store that keeps its own copies of the blobs is read.
"""

import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from portal.backup import checks, keys, layout, postgres, sqlite
from portal.errors import BackupError
from weights.storage import store_at

VENDORS = {"postgresql": postgres, "sqlite": sqlite}


def run(
    folder: Path,
    say: Callable[[str], None],
    *,
    sample: int | None = None,
    blobs: str = "",
    scratch: Path | None = None,
) -> None:
    """Restore and check. Raises BackupError, once all checks have spoken.

    `blobs` is the address of the store to compare with, if it is not the one that the backup
    names; `sample` reads so many blobs instead of all.
    """
    statement = layout.read(folder)
    say(f"backup: {statement.server}, taken {statement.taken_at}, every file as it was written")
    if scratch is not None and not scratch.is_dir():
        raise BackupError(f"{scratch} is no folder; name one that is there for --scratch")
    store = store_at(layout.blobs_at(folder, statement, blobs)).address
    _say_keys(folder, say)
    name = f"weighbridge_drill_{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory(prefix="drill-", dir=scratch) as place:
        vendor = VENDORS[statement.vendor]
        with vendor.restored(folder / statement.database, Path(place), name) as url:
            say("database: restored")
            failed = checks.failures(url, store, sample, say)
    if statement.damaged:
        say(f"damaged when it was taken: {len(statement.damaged)} blobs")
        failed.append("blobs that were damaged before")
    if failed:
        raise BackupError(f"the drill failed: {', '.join(failed)}; the lines above say what")


def _say_keys(folder: Path, say: Callable[[str], None]) -> None:
    if (folder / layout.KEYS).is_dir():
        say(f"keys: {', '.join(keys.prove(folder / layout.KEYS))}")
    else:
        say("keys: none in this backup")
