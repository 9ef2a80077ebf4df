"""Rebuilds the object of an upload from the chunks of xorbs, one chunk in memory at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import models

from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.storage import Upload as StoreUpload
from weights.uploads.models import Upload
from weights.uploads.services import writable_store
from weights.uploads.xet import hashing, xorb_format
from weights.uploads.xet.errors import MalformedXet, XorbUnknown
from weights.uploads.xet.models import Recipe, StagedXorb
from weights.uploads.xet.shard_format import Term, read_terms
from weights.uploads.xet.staging import xorb_staging
from weights.uploads.xet.xorbs import Sender


@contextmanager
def rebuilt(upload: Upload) -> Iterator["Rebuilt"]:
    """Rebuild the object of an upload; raises Recipe.DoesNotExist if it has no recipe."""
    with writable_store().receive(upload.size) as temporary:
        assert upload.checkpoint is not None  # checked before it is hashed
        sender = Sender(upload.person, upload.checkpoint)
        yield Rebuilt(upload.recipe, XorbLookup(sender), temporary)


def forget_recipes(
    person: User, checkpoint: Checkpoint | None, uploads: "models.QuerySet[Upload]"
) -> None:
    """Delete the recipes of rebuilt or refused objects; their xorbs then expire sooner."""
    recipes = Recipe.objects.filter(upload__in=uploads)
    digests = {
        hashing.to_hex(term.xorb)
        for records in recipes.values_list("records", flat=True)
        for term in read_terms(bytes(records))
    }
    mine = StagedXorb.objects.filter(person=person, checkpoint=checkpoint)
    mine.filter(digest__in=digests).update(rebuilt=True)
    recipes.delete()


class XorbLookup:
    """Finds the sender's xorbs; caches the latest, since consecutive files often share one."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._latest: tuple[StagedXorb, list[xorb_format.Chunk]] | None = None

    def find(self, digest: str) -> tuple[StagedXorb, list[xorb_format.Chunk]]:
        """The xorb and its chunks; raises XorbUnknown."""
        if self._latest is None or self._latest[0].digest != digest:
            row = self._sender.xorbs().filter(digest=digest).first()
            if row is None:
                raise XorbUnknown(digest)
            self._latest = row, xorb_format.unpack(bytes(row.chunks))
        return self._latest


class Rebuilt:
    """Writes the chunks of a recipe to a new object while they are read."""

    def __init__(self, recipe: Recipe, xorbs: XorbLookup, temporary: StoreUpload) -> None:
        self._recipe = recipe
        self._xorbs = xorbs
        self._temporary = temporary
        self._tree = hashing.HashTree()
        self.commit = temporary.commit

    def blocks(self) -> Iterator[bytes]:
        """The content in order; raises MalformedXet, XorbUnknown and BlobMissing."""
        for term in read_terms(bytes(self._recipe.records)):
            for block in self._chunks(term):
                self._temporary.write(block)
                yield block
        if hashing.file_hash(self._tree.root()) != bytes(self._recipe.digest):
            raise MalformedXet("the chunks of a file do not make up its hash")

    def _chunks(self, term: Term) -> Iterator[bytes]:
        row, chunks = self._xorbs.find(hashing.to_hex(term.xorb))
        wanted = chunks[term.start : term.end]
        if term.end > len(chunks) or sum(chunk.size for chunk in wanted) != term.size:
            raise MalformedXet("a term names chunks that its xorb does not have, or another size")
        if hashing.range_hash(b"".join(chunk.digest for chunk in wanted)) != term.check:
            raise MalformedXet("the verification hash of a term does not match its chunks")
        start = sum(chunk.length for chunk in chunks[: term.start])
        length = sum(chunk.length for chunk in wanted)
        with xorb_staging().open(row.staging, start, length) as stream:
            found = xorb_format.read_chunks(stream)
            for chunk in wanted:
                self._tree.add(chunk.digest, chunk.size)
                stored, content = next(found)
                if stored != chunk:
                    raise MalformedXet("a xorb changed in staging; upload the file again")
                yield content
