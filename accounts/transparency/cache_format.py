"""Converts published tables to and from the JSON values that the cache stores."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

_CELL_TYPES = (int, float, str, type(None))
_META = {"made_at"}


def dump(published: dict[str, Any]) -> dict[str, Any]:
    """Replace datetimes with ISO 8601 strings."""
    names = published.keys() - _META
    rows = {name: [_dump_row(row) for row in published[name]] for name in names}
    return {"made_at": published["made_at"].isoformat(), **rows}


def load(value: Any, columns: Mapping[str, tuple[str, ...]]) -> dict[str, Any] | None:
    """Reverse `dump`. Returns None if the tables or columns differ from `columns`."""
    if not isinstance(value, dict) or value.keys() != columns.keys() | _META:
        return None
    try:
        tables = {name: [_load_row(row, columns[name]) for row in value[name]] for name in columns}
        return {"made_at": datetime.fromisoformat(value["made_at"]), **tables}
    except (TypeError, ValueError):
        return None


def _dump_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: cell.isoformat() if isinstance(cell, datetime) else cell for name, cell in row.items()
    }


def _load_row(row: Any, columns: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(row, dict) or row.keys() != set(columns):
        raise ValueError("not a row of this table")
    return {name: _load_cell(name, cell) for name, cell in row.items()}


def _load_cell(name: str, cell: Any) -> Any:
    if not isinstance(cell, _CELL_TYPES):
        raise ValueError(f"{name} is not a single value")
    if name.endswith("_at") and cell is not None:
        return datetime.fromisoformat(str(cell))
    return cell
