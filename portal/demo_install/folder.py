"""Decide whether a folder may be filled with invented data, and mark it."""

from pathlib import Path

from django.conf import settings

from portal.errors import DemoError
from portal.settings.data_dir import invented_mark

_FILLING, _FILLED = "filling\n", "filled\n"


def is_filled(data_dir: Path) -> bool:
    """False for a new install. Raises DemoError for one that was not filled by this command."""
    mark = invented_mark(data_dir)
    if mark.exists():
        if mark.read_text() == _FILLED:
            return True
        raise DemoError(f"an earlier fill of {data_dir} was interrupted; remove the folder first")
    _demand_embedded(data_dir)
    if (data_dir / "db.sqlite3").exists():
        raise DemoError(
            f"{data_dir} holds another install; name a new folder: make demo DATA_DIR=demo"
        )
    return False


def mark_filling(data_dir: Path) -> None:
    invented_mark(data_dir).write_text(_FILLING)


def mark_filled(data_dir: Path) -> None:
    invented_mark(data_dir).write_text(_FILLED)


def _demand_embedded(data_dir: Path) -> None:
    own = {
        "DATABASE_URL": settings.DATABASES["default"]["NAME"] == str(data_dir / "db.sqlite3"),
        "WEIGHTS_STORAGE": f"file://{data_dir}/blobs" == settings.WEIGHTS_STORAGE,
        "BROKER_URL": settings.EMBEDDED_BROKER,
    }
    for variable, is_own in own.items():
        if not is_own:
            raise DemoError(f"a demo has its own database, store and broker; unset {variable}")
