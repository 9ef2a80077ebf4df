"""Every value in the database, in Redis and in a folder as decoded text.

Tables and columns are read from the database itself, so new ones are included automatically.
"""

import base64
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote_plus

import redis
from django.conf import settings
from django.db import connection

#: Possible base64 of at least four bytes, in either alphabet.
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{6,}={0,2}")


def table_names() -> list[str]:
    """Every table, including those without a model."""
    return sorted(connection.introspection.table_names())


def database() -> Iterator[tuple[str, str]]:
    """Yield `table.column` and the decoded texts of each value."""
    for table in table_names():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            columns = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
        for row in rows:
            for column, value in zip(columns, row, strict=True):
                for text in readable(value):
                    yield f"{table}.{column}", text


def cache_keys() -> Iterator[tuple[str, int]]:
    """The keys in Redis, with the seconds until they expire; -1 if never."""
    store = redis.from_url(str(settings.CACHES["default"]["LOCATION"]))
    for key in store.scan_iter():
        yield key.decode("utf-8", "replace"), int(store.ttl(key))


def cache() -> Iterator[tuple[str, str]]:
    """The keys in Redis, and their values if these are text."""
    store = redis.from_url(str(settings.CACHES["default"]["LOCATION"]))
    for key in store.scan_iter():
        yield "redis key", key.decode("utf-8", "replace")
        for text in readable(store.dump(key)):
            yield f"redis value of {key!r}", text


def folder(root: Path) -> Iterator[tuple[str, str]]:
    """The names and contents of the files in a folder."""
    for path in root.rglob("*"):
        yield "file name", str(path.relative_to(root))
        if path.is_file():
            for text in readable(path.read_bytes()):
                yield str(path), text


def readable(value: object, depth: int = 3) -> Iterator[str]:
    """Yield the text of a value, and what it decodes to (URL encoding, base64, zlib, ZIP)."""
    if isinstance(value, memoryview | bytearray):
        value = bytes(value)
    if isinstance(value, bytes):
        yield from _of_bytes(value, depth)
        return
    text = str(value)
    yield text
    if "%" in text or "+" in text:
        yield unquote_plus(text)
    if "\\u" in text:
        yield text.encode().decode("unicode_escape", "replace")
    if depth:
        for run in _BASE64.findall(text):
            yield from _of_base64(run, depth - 1)


def _of_bytes(value: bytes, depth: int) -> Iterator[str]:
    yield value.decode("utf-8", "replace")
    if value.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(value)) as archive:
            for name in archive.namelist():
                yield name
                yield from readable(archive.read(name), depth)
    with suppress(zlib.error):
        yield from readable(zlib.decompress(value).decode("utf-8", "replace"), depth)


def _of_base64(run: str, depth: int) -> Iterator[str]:
    padded = run.rstrip("=").replace("-", "+").replace("_", "/")
    with suppress(ValueError):
        decoded = base64.b64decode(padded + "=" * (-len(padded) % 4))
        yield decoded.decode("utf-8", "replace")
        with suppress(zlib.error):
            yield from readable(zlib.decompress(decoded).decode("utf-8", "replace"), depth)


def spellings(text: str) -> set[str]:
    """How the text may be encoded within others, in lower case."""
    encoded = base64.b64encode(text.encode()).decode().rstrip("=")
    return {text.lower(), quote(text, safe="").lower(), encoded.lower()}
