"""Receives xorbs: hashes every chunk before shards may use the xorb, for its sender only."""

import uuid
from collections.abc import Callable
from typing import NamedTuple

from django.conf import settings
from django.db import models, transaction

from accounts.background.locks import lock_user
from accounts.users.models import User
from accounts.web.byte_sizes import format_size
from weights.catalogue.models import Checkpoint
from weights.delivery import bodies
from weights.errors import BlobMissing, QuotaExceeded
from weights.storage import blob_storage
from weights.uploads.services import writable_store
from weights.uploads.xet import hashing, xorb_format
from weights.uploads.xet.errors import MalformedXet
from weights.uploads.xet.models import StagedXorb
from weights.uploads.xet.staging import xorb_staging

#: Seconds for which a grant is valid.
GRANT_SECONDS = 900
_SWEPT = 500


class Sender(NamedTuple):
    """A person who sends xorbs to a checkpoint."""

    person: User
    checkpoint: Checkpoint

    def xorbs(self) -> "models.QuerySet[StagedXorb]":
        """The sender's xorbs that a shard may name."""
        return StagedXorb.objects.checked().filter(person=self.person, checkpoint=self.checkpoint)


class Grant(NamedTuple):
    """`url` accepts a PUT of the xorb's bytes, without credentials."""

    name: str
    url: str


def receive(sender: Sender, digest: str, length: int, stream: xorb_format.Readable) -> bool:
    """Check a xorb of `length` bytes while copying it to staging.

    Returns False if the sender has already sent it. Raises MalformedXet, QuotaExceeded and the
    errors of the store, with nothing stored.
    """
    if has(sender, digest):
        while stream.read(1024 * 1024):
            pass
        return False
    row = _begin(sender, digest, length)
    writable_store()
    bodies.release_connections()  # the body may take minutes
    try:
        with xorb_staging().receive(row.staging) as writer:
            chunks = xorb_format.checked_chunks(_Copied(stream, writer.write), digest)
            writer.keep()
    except BaseException:
        row.delete()
        raise
    _record(row, chunks)
    return True


def has(sender: Sender, digest: str) -> bool:
    """True if the sender has already sent this xorb; raises MalformedXet for an invalid hash."""
    hashing.from_hex(digest)
    return sender.xorbs().filter(digest=digest).exists()


def grant(sender: Sender, digest: str, length: int) -> Grant | None:
    """Let a client send a xorb of `length` bytes directly to the bucket; None for a local store."""
    if blob_storage().is_local:
        return None
    row = _begin(sender, digest, length)
    return Grant(row.staging, xorb_staging().url(row.staging, length, GRANT_SECONDS))


def commit(sender: Sender, digest: str, name: str) -> None:
    """Check the xorb that was sent to the bucket with a grant. Idempotent.

    Raises BlobMissing if there is none, MalformedXet, and the errors of the store.
    """
    if has(sender, digest):
        return
    row = StagedXorb.objects.live().filter(**sender._asdict(), digest=digest, staging=name).first()
    if row is None:
        raise BlobMissing("this grant has expired; request another")
    try:
        with xorb_staging().open(name, 0, row.size) as stream:
            chunks = xorb_format.checked_chunks(stream, digest)
        if sum(chunk.length for chunk in chunks) != row.size:
            raise MalformedXet("the xorb does not have the length that was announced")
    except MalformedXet:
        _discard(row)
        raise
    _record(row, chunks)


def _begin(sender: Sender, digest: str, length: int) -> StagedXorb:
    """Create a row, replacing an expired or unchecked one and its bytes."""
    if not 0 < length <= xorb_format.MOST_STORED:
        raise MalformedXet("a xorb is empty or larger than 64 MiB")
    with transaction.atomic():
        lock_user(sender.person)
        replaced = list(StagedXorb.objects.filter(**sender._asdict(), digest=digest))
        _demand_room(sender.person, length)
        StagedXorb.objects.filter(pk__in=[row.pk for row in replaced]).delete()
        begun = StagedXorb.objects.create(
            **sender._asdict(), digest=digest, size=length, staging=uuid.uuid4().hex
        )
    for row in replaced:  # otherwise repeated grants would fill the bucket beyond the quota
        xorb_staging().discard(row.staging)
    return begun


def _demand_room(person: User, length: int) -> None:
    live = StagedXorb.objects.live().filter(person=person)
    used = live.aggregate(total=models.Sum("size", default=0))["total"]
    if used + length > settings.UPLOAD_QUOTA:
        raise QuotaExceeded(
            f"{format_size(used)} of chunks are already waiting, and your quota is"
            f" {format_size(settings.UPLOAD_QUOTA)}; upload in smaller steps"
        )


def _record(row: StagedXorb, chunks: list[xorb_format.Chunk]) -> None:
    """Let shards refer to the xorb, unless its sender has begun to send it again."""
    StagedXorb.objects.filter(pk=row.pk).update(chunks=xorb_format.pack(chunks))


def sweep() -> int:
    """Delete expired xorbs with their bytes; returns their number."""
    ended = StagedXorb.objects.exclude(pk__in=StagedXorb.objects.live().values("pk"))
    rows = list(ended.order_by("created_at")[:_SWEPT])
    for row in rows:
        _discard(row)
    return len(rows)


def _discard(row: StagedXorb) -> None:
    xorb_staging().discard(row.staging)
    row.delete()


class _Copied:
    """A stream that passes everything read from it to `write`."""

    def __init__(self, stream: xorb_format.Readable, write: Callable[[bytes], None]) -> None:
        self._stream, self._write = stream, write

    def read(self, size: int, /) -> bytes:
        block = self._stream.read(size)
        self._write(block)
        return block
