"""Restore a backup temporarily and check the restored portal.

The running install does not change.
"""

import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from django.db import connection

from portal.backup import keys, layout, signature
from portal.backup.layout import Index
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
    server: str = "",
    vkey: str = "",
    unsigned: bool = False,
) -> None:
    """Restore and check a backup. Raises BackupError after all checks have run.

    `blobs` is the address of the store to compare with, if not the one that the backup names;
    `sample` is how many blobs to read instead of all; `server` is the URL of a database on the
    PostgreSQL server to use, by default DATABASE_URL.
    """
    signature.check(folder, say, vkey=vkey, unsigned=unsigned)
    index = layout.read(folder)
    say(index.summary())
    if scratch is not None and not scratch.is_dir():
        raise BackupError(f"{scratch} is not a folder; use an existing one for --scratch")
    store = store_at(layout.blob_address(folder, index, blobs)).address
    say(f"keys: {', '.join(keys.check(folder / layout.KEYS)) or 'none in this backup'}")
    name = f"weighbridge_drill_{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory(prefix="drill-", dir=scratch) as temporary:
        dump = folder / index.database
        if index.vendor == "postgresql":
            restored = postgres.restored(dump, name, _server(index, server))
        else:
            restored = sqlite.restored(dump, Path(temporary), name)
        with restored as url:
            say("database: restored")
            failed = checks.failures(url, store, sample, say)
    if index.damaged:
        say(f"damaged when it was taken: {len(index.damaged)} blobs")
        failed.append("blobs that were damaged before")
    if failed:
        raise BackupError(f"the drill failed: {', '.join(failed)}; see the lines above")


def _server(index: Index, url: str) -> str:
    """The URL of the scratch database's server; empty for DATABASE_URL's. Raises BackupError."""
    if url or connection.vendor == "postgresql":
        return url
    raise BackupError(
        f"the backup is of {index.server}, and this install uses SQLite; name a server of"
        " PostgreSQL by --server postgres://user@host/postgres, whose user may create databases"
        " (CREATEDB), and its password as DATABASE_PASSWORD"
    )
