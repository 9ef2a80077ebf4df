"""Streams a request body whose length is known in advance."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest, UnreadablePostError

from weights.delivery import bodies
from weights.errors import Busy, UploadRefused

_BLOCK = 1024 * 1024


@contextmanager
def slot(length: int) -> Iterator[None]:
    """Hold one of the process's slots while a body of `length` bytes is received. Raises Busy."""
    release = bodies.slots.take(length)
    if release is None:
        raise Busy("This portal is receiving and sending as much as it can; try again in a moment.")
    try:
        yield
    finally:
        release()


def blocks_of(request: HttpRequest, length: int) -> Iterator[bytes]:
    """The body of a request in blocks; its Content-Length must be `length`.

    Raises UploadRefused for any other Content-Length, and for a truncated body.
    """
    stated = request.META.get("CONTENT_LENGTH") or ""
    if "HTTP_TRANSFER_ENCODING" in request.META or stated != str(length):
        raise UploadRefused(f"send exactly {length} bytes, with Content-Length: {length}")
    return _read(request, length)


def _read(request: HttpRequest, length: int) -> Iterator[bytes]:
    count = 0
    while count < length:
        try:
            block = request.read(min(_BLOCK, length - count))
        except UnreadablePostError:
            block = b""
        if not block:
            raise UploadRefused(f"the body ended after {count} of {length} bytes; send it again")
        count += len(block)
        yield block
