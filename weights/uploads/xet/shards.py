"""Accepts shards, and rebuilds the files they describe from the sender's own xorbs."""

import time
from collections.abc import Iterable
from typing import BinaryIO

from django.db import transaction

from accounts.background.batches import batches
from accounts.background.queueing import queue_after_commit
from weights.task_names import WeightsTask
from weights.uploads import multipart
from weights.uploads.models import Upload
from weights.uploads.presence import present
from weights.uploads.services import start
from weights.uploads.xet import hashing, rebuild_batch, xorb_format
from weights.uploads.xet.errors import MalformedXet, XorbUnknown
from weights.uploads.xet.models import Recipe
from weights.uploads.xet.shard_format import FileRecipe, XorbListing, read_shard
from weights.uploads.xet.xorbs import Sender

#: Maximum chunk references of one shard: 128 GiB in chunks of 64 KiB.
MOST_REFERENCES = 2**21
#: Files up to this size are rebuilt in the request for this long; a worker does the rest.
_AT_ONCE_BYTES = 64 * 1024 * 1024
_AT_ONCE_SECONDS = 10.0
_BATCH = 500


def accept(sender: Sender, stream: BinaryIO) -> list[str]:
    """Record how to rebuild the files of a shard; returns the SHA-256 of each.

    Reads `stream` twice. Rebuilds small files before it returns; a worker rebuilds the others.
    Raises MalformedXet, XorbUnknown for a xorb that this sender did not send, and the errors of
    `start`, without recording any file of the shard.
    """
    sizes = _checked(sender, stream)
    stream.seek(0)
    recipes = (each for each in read_shard(stream) if isinstance(each, FileRecipe))
    with transaction.atomic():
        uploads = _record(sender, recipes, sizes)
    _rebuild(sender, uploads)
    return list(sizes)


def _checked(sender: Sender, stream: BinaryIO) -> dict[str, int]:
    """Read the shard; returns the size of each file by its SHA-256.

    Knowing the hash of a xorb that another person sent, or that was sent to another checkpoint,
    must not give access to its bytes.
    """
    sizes, named, references = dict[str, int](), set[bytes](), 0
    for each in read_shard(stream):
        if isinstance(each, XorbListing):
            _check_listing(sender, each)
            continue
        sizes[each.sha256] = each.size
        for term in each.terms():
            named.add(term.xorb)
            references += term.end - term.start
        if references > MOST_REFERENCES:
            raise MalformedXet("the shard names more than two million chunks; upload fewer files")
    digests = [hashing.to_hex(digest) for digest in named]
    for batch in batches(digests, _BATCH):
        found = sender.xorbs().filter(digest__in=batch).values_list("digest", flat=True)
        for digest in sorted(set(batch).difference(found)):
            raise XorbUnknown(digest)
    return sizes


def _check_listing(sender: Sender, listing: XorbListing) -> None:
    digest = hashing.to_hex(listing.digest)
    row = sender.xorbs().filter(digest=digest).first()
    if row is None:
        raise XorbUnknown(digest)
    if listing.chunks != [
        (chunk.digest, chunk.size) for chunk in xorb_format.unpack(bytes(row.chunks))
    ]:
        raise MalformedXet(f"the shard lists other chunks of the xorb {digest} than it has")


def _record(sender: Sender, recipes: Iterable[FileRecipe], sizes: dict[str, int]) -> list[Upload]:
    """Store the recipe of each file that is not present yet; returns their uploads."""
    held = present(sender.checkpoint, sender.person, sizes)
    missing = {sha256: size for sha256, size in sizes.items() if sha256 not in held}
    uploads = start(sender.checkpoint, sender.person, missing)
    Upload.objects.filter(pk__in=[upload.pk for upload in uploads.values()]).update(
        state=Upload.State.RECEIVED, staging="", part_size=0
    )
    for recipe in recipes:
        if recipe.sha256 in uploads:
            facts = {"digest": recipe.digest, "records": recipe.records}
            Recipe.objects.update_or_create(upload=uploads[recipe.sha256], defaults=facts)
    return list(uploads.values())


def _rebuild(sender: Sender, uploads: list[Upload]) -> None:
    """Rebuild small files until the time is up; queue the others."""
    deadline = time.monotonic() + _AT_ONCE_SECONDS
    tiny = [upload for upload in uploads if upload.size <= min(rebuild_batch.TINY, _AT_ONCE_BYTES)]
    for batch in batches(tiny, rebuild_batch.TOGETHER):
        rebuild_batch.rebuild(sender, batch)
        if time.monotonic() > deadline:
            break
    received = Upload.objects.filter(pk__in=[upload.pk for upload in uploads])
    for upload in received.filter(state=Upload.State.RECEIVED):
        if upload.size <= _AT_ONCE_BYTES and time.monotonic() < deadline:
            multipart.hash_object(upload.pk)
        else:
            queue_after_commit(WeightsTask.HASH_UPLOAD, upload.pk)
