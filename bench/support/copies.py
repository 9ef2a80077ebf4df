"""SQL that copies one row many times, with expressions for what differs."""

from typing import Any


def of(record: Any, count: int, differing: dict[str, str]) -> str:
    """The SQL that copies one row `count` times; `n` counts from 1."""
    from django.db import connection, models

    is_postgres = connection.vendor == "postgresql"
    fresh = "gen_random_uuid()" if is_postgres else "lower(hex(randomblob(16)))"
    changed = {"id": f"{record.pk} + n", **differing}
    columns = []
    for field in record._meta.concrete_fields:
        is_uuid = isinstance(field, models.UUIDField)
        columns.append((field.column, fresh if is_uuid else f't."{field.column}"'))
    names = ", ".join(f'"{name}"' for name, _ in columns)
    values = ", ".join(changed.get(name, value) for name, value in columns)
    numbers = (
        f"generate_series(1, {count}) AS n"
        if is_postgres
        else f"(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count})"  # noqa: S608
        " SELECT n FROM c)"
    )
    table = f'"{record._meta.db_table}"'
    return (
        f"INSERT INTO {table} ({names}) SELECT {values}"  # noqa: S608 - names of our own
        f" FROM {table} AS t, {numbers} WHERE t.id = {record.pk}"
    )


def padded(number: str, digits: int) -> str:
    from django.db import connection

    if connection.vendor == "postgresql":
        return f"lpad(to_hex({number}), {digits}, '0')"
    return f"printf('%0{digits}x', {number})"
