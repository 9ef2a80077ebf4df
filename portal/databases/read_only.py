"""Read-only mode: refuse every SQL statement that writes, from any code."""

import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.background.outages import ReadOnly

#: True once a write of the current request was refused; the middleware replaces its response.
write_refused: ContextVar[bool] = ContextVar("write_refused", default=False)

_READS = re.compile(
    r"\s*\(?\s*(?:SELECT|WITH|VALUES|SHOW|SET|RESET|PRAGMA|EXPLAIN|BEGIN|START|SAVEPOINT|RELEASE"
    r"|ROLLBACK|COMMIT|DECLARE|FETCH|CLOSE)\b",
    re.IGNORECASE,
)
#: Locks and changes inside a statement that begins like a read.
_WRITES = re.compile(
    r"\b(?:FOR\s+(?:NO\s+KEY\s+)?UPDATE|FOR\s+(?:KEY\s+)?SHARE|INSERT\s+INTO|DELETE\s+FROM"
    r"|UPDATE\s+\S+\s+SET|MERGE\s+INTO)\b",
    re.IGNORECASE,
)


def guard(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """With READ_ONLY, refuse writes through this new connection to the portal's database."""
    if not settings.READ_ONLY or connection.alias != DEFAULT_DB_ALIAS:
        return
    if refuse_writes not in connection.execute_wrappers:
        connection.execute_wrappers.append(refuse_writes)


def refuse_writes(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """An execute wrapper for Django's connections. Raises ReadOnly for everything but reads."""
    if not is_read(sql):
        write_refused.set(True)
        raise ReadOnly
    return execute(sql, params, many, context)


def is_read(sql: Any) -> bool:
    """True for a statement that neither writes nor locks rows; composed SQL counts as a write."""
    return isinstance(sql, str) and bool(_READS.match(sql)) and not _WRITES.search(sql)
