"""Copy a table's rows and its sequence, read each row back and compare it."""

from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, Error, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Cast, Length

from accounts.background.batches import batches
from portal.errors import MoveError

#: Maximum rows and bytes in memory at once.
ROWS_AT_ONCE, BYTES_AT_ONCE = 500, 16_000_000

Model = type[models.Model]
Rows = list[models.Model]


def tables() -> list[Model]:
    """Every model with a table, including those of many-to-many fields."""
    found = apps.get_models(include_auto_created=True)
    return [model for model in found if model._meta.managed and not model._meta.proxy]


def all_rows(model: Model, database: str = DEFAULT_DB_ALIAS) -> "models.QuerySet[Any]":
    """All rows by primary key, bypassing the model's manager and ordering."""
    return models.QuerySet(model, using=database).order_by("pk")


def copy_table(model: Model, target: str) -> int:
    """Copy every row and the sequence to the database with the alias `target`.

    Returns the number of rows. Raises MoveError, with the row that the target refused.
    """
    count = 0
    size = _batch_size(model, target)
    for batch in batches(all_rows(model).iterator(chunk_size=size), size):
        _insert(model, batch, target)
        _compare(model, batch, target)
        count += len(batch)
    if (written := all_rows(model, target).count()) != count:
        raise MoveError(f"{model._meta.db_table}: {count} rows were read and {written} written")
    _copy_sequence(model, target)
    return count


def _batch_size(model: Model, target: str) -> int:
    """Rows per batch: within BYTES_AT_ONCE for the longest row, and within one INSERT."""
    lengths = [_length(field) for field in _fields(model)]
    sizes = {f"length_{n}": models.Max(each) for n, each in enumerate(lengths) if each is not None}
    longest = sum(size or 0 for size in all_rows(model).aggregate(**sizes).values())
    fits = max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE // (longest + 1)))
    most = connections[target].ops.bulk_batch_size(_fields(model), [None] * fits)
    return min(fits, most)


def _length(field: "models.Field[Any, Any]") -> Length | None:
    """The length of an unbounded column; None for other columns."""
    if isinstance(field, models.JSONField):
        return Length(Cast(field.name, models.TextField()))
    is_long = isinstance(field, models.TextField | models.BinaryField) and not field.max_length
    return Length(field.name) if is_long else None


def _fields(model: Model) -> "list[models.Field[Any, Any]]":
    return list(model._meta.local_concrete_fields)


# -- writing --------------------------------------------------------------------------------


def _insert(model: Model, batch: Rows, target: str) -> None:
    try:
        _write(model, batch, target)
    except (Error, ValueError) as error:
        rows = f"{model._meta.db_table}, rows {batch[0].pk} to {batch[-1].pk}: {_one_line(error)}"
        raise MoveError(_refused_row(model, batch, target) or rows) from error


def _write(model: Model, batch: Rows, target: str) -> None:
    """Insert rows as they are: `raw` does not set `auto_now` fields; bulk_create would.

    The savepoint keeps the transaction usable after an error.
    """
    with transaction.atomic(using=target):
        rows: Any = all_rows(model, target)
        rows._insert(batch, fields=_fields(model), using=target, raw=True)


def _refused_row(model: Model, batch: Rows, target: str) -> str:
    """The first row that the target refuses, with the reason; empty if none."""
    table = model._meta.db_table
    for row in batch:
        try:
            _write(model, [row], target)
        except (Error, ValueError) as error:
            return f"{table}, row {row.pk}{_column_with_nul(row)}: {_one_line(error)}"
    return ""


def _column_with_nul(row: models.Model) -> str:
    """The column whose text has a NUL (escaped in JSON), which PostgreSQL refuses."""
    for field in _fields(type(row)):
        value = getattr(row, field.attname)
        if not isinstance(value, bytes | memoryview) and _has_nul(value):
            return f", column {field.column}"
    return ""


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_nul, [*value, *value.values()]))
    if isinstance(value, list):
        return any(map(_has_nul, value))
    return isinstance(value, str) and "\0" in value


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _compare(model: Model, batch: Rows, target: str) -> None:
    """Raise MoveError with the first row and column that the target returns differently."""
    written = all_rows(model, target).in_bulk([row.pk for row in batch])
    for row in batch:
        for field in _fields(model):
            if not _is_same(_value(row, field), _value(written.get(row.pk), field)):
                where = f"{model._meta.db_table}, row {row.pk}, column {field.column}"
                raise MoveError(f"{where}: the target returns another value than was written")


def _is_same(source: Any, target: Any) -> bool:
    """Compare two values; PostgreSQL returns the float 4.3e23 of a JSON document as an integer."""
    if isinstance(source, dict) and isinstance(target, dict):
        names = source.keys()
        return names == target.keys() and all(_is_same(source[n], target[n]) for n in names)
    if isinstance(source, list) and isinstance(target, list):
        return len(source) == len(target) and all(map(_is_same, source, target))
    if isinstance(source, float) and isinstance(target, int):
        return source == float(target)
    return bool(source == target)


def _value(row: models.Model | None, field: "models.Field[Any, Any]") -> Any:
    return getattr(row, field.attname, None)


# -- sequences ------------------------------------------------------------------------------


def _copy_sequence(model: Model, target: str) -> None:
    """Continue the target's ids after the last id that the source assigned.

    Django's `sqlsequencereset` takes the highest existing id, so the id of a deleted row
    could be assigned again. Trail and ledger refer to people by id, so an erased person's
    downloads would be attributed to the next one.
    """
    if model._meta.auto_field is None:
        return
    table, column = model._meta.db_table, str(model._meta.auto_field.column)
    highest = all_rows(model).aggregate(most=models.Max("pk"))["most"] or 0
    last = max(highest, _last_id(connections[DEFAULT_DB_ALIAS], table, column))
    if last:
        _set_last_id(connections[target], table, column, last)


def _last_id(database: BaseDatabaseWrapper, table: str, column: str) -> int:
    """The last assigned id; 0 if there is none."""
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            cursor.execute(
                "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, %s)::regclass)",
                [database.ops.quote_name(table), column],
            )
        else:
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        row = cursor.fetchone()
    return int(row[0] or 0) if row else 0


def _set_last_id(database: BaseDatabaseWrapper, table: str, column: str, last: int) -> None:
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(%s, %s), %s)",
                [database.ops.quote_name(table), column, last],
            )
            return
        cursor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = %s", [last, table])
        if not cursor.rowcount:
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, last])
