"""The one rule of presence: whose objects a batch, a preupload or a commit may name.

Hashes of gated files are public, so naming one must never hand out its bytes. The store may hold
an object of any checkpoint; that never makes it present.
"""

from collections.abc import Collection

from django.db import connection

from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.publishing.models import File
from weights.storage.models import Blob
from weights.uploads.models import Upload

_BATCH = 500


def present(checkpoint: Checkpoint, person: User, sha256s: Collection[str]) -> dict[str, int]:
    """The sizes in bytes of those objects that `person` may commit to `checkpoint`.

    Only an object that a revision of this checkpoint already holds, or whose upload to this
    checkpoint this person completed in the last 24 hours, is present, and only outside quarantine.
    Inside a transaction the uploads stay locked, so that no sweep removes them before the commit.
    """
    sizes: dict[str, int] = {}
    wanted = sorted(set(sha256s))
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        files = File.objects.filter(revision__checkpoint=checkpoint, blob__sha256__in=batch)
        quarantined = Blob.objects.filter(state=Blob.State.QUARANTINED, sha256__in=batch)
        committed = files.exclude(blob__in=quarantined).order_by()
        sizes.update(committed.values_list("blob__sha256", "blob__size").distinct())
        uploads = Upload.objects.complete().filter(
            person=person, checkpoint=checkpoint, sha256__in=batch
        )
        uploads = uploads.exclude(sha256__in=quarantined.values("sha256"))
        if connection.in_atomic_block:
            uploads = uploads.select_for_update().order_by("pk")
        sizes.update(uploads.values_list("sha256", "size"))
    return sizes


def present_sizes(checkpoint: Checkpoint, person: User, sizes: Collection[int]) -> set[int]:
    """Those of `sizes` that an object has which `person` need not send, or sends already."""
    files = File.objects.filter(revision__checkpoint=checkpoint, blob__size__in=sizes)
    quarantined = Blob.objects.filter(state=Blob.State.QUARANTINED, size__in=sizes)
    committed = files.exclude(blob__in=quarantined).order_by()
    uploads = Upload.objects.live().exclude(state=Upload.State.REFUSED)
    sent = uploads.filter(person=person, checkpoint=checkpoint, size__in=sizes)
    sent = sent.exclude(sha256__in=quarantined.values("sha256"))
    return {
        *committed.values_list("blob__size", flat=True).distinct(),
        *sent.values_list("size", flat=True),
    }
