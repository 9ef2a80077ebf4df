"""Which objects count as present: those that a batch, a preupload or a commit may refer to.

The hashes of gated files are public, so knowing one must not give access to its bytes. An object
is therefore not present merely because the store has it for another checkpoint.
"""

from collections.abc import Collection

from django.db import connection

from accounts.background.batches import batches
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.publishing.models import File
from weights.storage.models import Blob
from weights.uploads.models import Upload

_BATCH = 500


def present(checkpoint: Checkpoint, person: User, sha256s: Collection[str]) -> dict[str, int]:
    """The sizes in bytes of those objects that `person` may commit to `checkpoint`.

    An object is present if a revision of this checkpoint has it or if this person completed its
    upload to this checkpoint in the last 24 hours, unless it is in quarantine. In a transaction
    the uploads stay locked, so that no sweep deletes them before the commit.
    """
    sizes: dict[str, int] = {}
    wanted = sorted(set(sha256s))
    for batch in batches(wanted, _BATCH):
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
    """Those of `sizes` that match an object which is committed or being sent by `person`."""
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
