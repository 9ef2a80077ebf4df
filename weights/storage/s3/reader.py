"""The body of an S3 object as a stream that raises StorageUnavailable."""

import io
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

from weights.errors import StorageUnavailable
from weights.storage.protocol import StoredObject


class S3Reader(io.RawIOBase):
    """An object's body; `version` is its version id, empty if the bucket is not versioned."""

    is_cached = False

    def __init__(self, body: Any, version: str, stored: StoredObject) -> None:
        self._body = body
        self.version = version
        self.stored = stored

    def wait_past_ctime(self) -> None:
        """Does nothing, since an entity tag depends on the content, not on a clock."""

    def drop_after_reading(self) -> Callable[[int, int], None]:
        return lambda start, length: None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            chunk = self._body.read(len(buffer))
        except (BotoCoreError, HTTPError, OSError) as error:
            raise StorageUnavailable(f"the store closed the connection: {error}") from error
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._body.close()
        super().close()


def read_until(body: Any, size: int, end: float) -> bytes:
    """Returns the first `size` bytes; raises StorageUnavailable after `end`, a monotonic time."""
    content = bytearray()
    while len(content) < size:
        # `read` blocks until it has all requested bytes; `read1` returns what has arrived.
        try:
            block = body._raw_stream.read1(size - len(content))
        except (HTTPError, OSError) as error:
            raise StorageUnavailable(f"the store closed the connection: {error}") from error
        if not block:
            raise StorageUnavailable("the store closed the connection")
        content += block
        if time.monotonic() > end:
            raise StorageUnavailable("the store responds too slowly")
    return bytes(content)
