"""Copy a table's rows as they are, read each back and compare it."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, Error, connections, models, transaction
from django.db.models.functions import Cast, Length

from portal.errors import MoveError

#: Rows and bytes that are held in memory at once, at most.
ROWS_AT_ONCE, BYTES_AT_ONCE = 500, 16_000_000

Model = type[models.Model]
Rows = list[models.Model]


def tables() -> list[Model]:
    """Every model with a table of its own, those behind many-to-many fields too."""
    found = apps.get_models(include_auto_created=True)
    return [model for model in found if model._meta.managed and not model._meta.proxy]


def of(model: Model, database: str = DEFAULT_DB_ALIAS) -> "models.QuerySet[Any]":
    """All rows, without what the model's own manager or ordering adds or leaves out."""
    return models.QuerySet(model, using=database).order_by("pk")


def copy(model: Model, target: str) -> int:
    """Copy every row to the database of this alias; the number. Raises MoveError."""
    count = 0
    for batch in _batches(model, _rows_at_once(model, target)):
        _insert(model, batch, target)
        _compare(model, batch, target)
        count += len(batch)
    if (written := of(model, target).count()) != count:
        raise MoveError(f"{model._meta.db_table}: {count} rows were read and {written} written")
    return count


def _batches(model: Model, most: int) -> Iterator[Rows]:
    rows = of(model).iterator(chunk_size=most)
    while batch := list(islice(rows, most)):
        yield batch


def _rows_at_once(model: Model, target: str) -> int:
    """Fewer where the longest row is long, and no more than one INSERT takes."""
    lengths = [_length(field) for field in _fields(model)]
    sizes = {f"length_{n}": models.Max(each) for n, each in enumerate(lengths) if each is not None}
    longest = sum(size or 0 for size in of(model).aggregate(**sizes).values())
    fits = max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE // (longest + 1)))
    most = connections[target].ops.bulk_batch_size(_fields(model), [None] * fits)
    return min(fits, most)


def _length(field: "models.Field[Any, Any]") -> Length | None:
    """The length of a column that has no bound."""
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
        raise _Refused(model, batch, error) from error


def _write(model: Model, batch: Rows, target: str) -> None:
    """`raw` keeps fields such as `auto_now` from being filled anew; bulk_create has no such way."""
    of(model, target)._insert(batch, fields=_fields(model), using=target, raw=True)  # type: ignore[attr-defined]


class _Refused(MoveError):
    """Rows that the target did not take, of which `reason` finds the one."""

    def __init__(self, model: Model, batch: Rows, error: Exception) -> None:
        super().__init__(_one_line(error))
        self.model, self.batch = model, batch


def copy_or_name(model: Model, target: str) -> int:
    """As `copy`, with an error that names the row. Raises MoveError."""
    try:
        with transaction.atomic(using=target):
            return copy(model, target)
    except _Refused as error:
        raise MoveError(_culprit(error, target)) from error


def _culprit(refused: _Refused, target: str) -> str:
    """The first row that the target does not take when it comes alone, and why."""
    table = refused.model._meta.db_table
    for row in refused.batch:
        try:
            with transaction.atomic(using=target):
                _write(refused.model, [row], target)
        except (Error, ValueError) as error:
            return f"{table}, row {row.pk}{_column_with_nul(row)}: {_one_line(error)}"
    first, last = refused.batch[0].pk, refused.batch[-1].pk
    return f"{table}, rows {first} to {last}: {refused}"


def _column_with_nul(row: models.Model) -> str:
    """PostgreSQL holds no NUL in text; in JSON it is an escape."""
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


# -- comparing ------------------------------------------------------------------------------


def _compare(model: Model, batch: Rows, target: str) -> None:
    """Raises MoveError with the first row and column that came out differently."""
    written = of(model, target).in_bulk([row.pk for row in batch])
    for row in batch:
        for field in _fields(model):
            if _value(row, field) != _value(written.get(row.pk), field):
                where = f"{model._meta.db_table}, row {row.pk}, column {field.column}"
                raise MoveError(f"{where}: the target gives back another value than was written")


def _value(row: models.Model | None, field: "models.Field[Any, Any]") -> Any:
    return getattr(row, field.attname, None)
