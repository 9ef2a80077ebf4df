"""The body of an object as a stream that raises the domain's errors."""

import io
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

from weights.errors import StorageUnavailable
from weights.storage.protocol import StoredObject


class S3Reader(io.RawIOBase):
    """An object's body; `version` is the one that is read, empty where the bucket keeps none."""

    is_cached = False

    def __init__(self, body: Any, version: str, stored: StoredObject) -> None:
        self._body = body
        self.version = version
        self.stored = stored

    def wait_past_ctime(self) -> None:
        """Nothing: an entity tag follows from the bytes, not from a clock."""

    def drop_after_reading(self) -> Callable[[int, int], None]:
        return lambda start, length: None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            chunk = self._body.read(len(buffer))
        except (BotoCoreError, HTTPError, OSError) as error:
            raise StorageUnavailable(f"the store broke off: {error}") from error
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._body.close()
        super().close()


def read_until(body: Any, size: int, end: float) -> bytes:
    """The first `size` bytes of a body; raises StorageUnavailable after `end` of the clock."""
    content = bytearray()
    while len(content) < size:
        # `read` waits for all that is asked for, a byte at a time if need be; `read1` does not.
        try:
            block = body._raw_stream.read1(size - len(content))
        except (HTTPError, OSError) as error:
            raise StorageUnavailable(f"the store broke off: {error}") from error
        if not block:
            raise StorageUnavailable("the store broke off")
        content += block
        if time.monotonic() > end:
            raise StorageUnavailable("the store sends too slowly")
    return bytes(content)
