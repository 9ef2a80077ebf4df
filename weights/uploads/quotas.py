"""The limit on the bytes of one person's uploads and drafts."""

from collections.abc import Iterable

from django.conf import settings
from django.db import models

from accounts.users.models import User
from accounts.web.byte_sizes import format_size
from weights.catalogue.models import Checkpoint
from weights.errors import QuotaExceeded
from weights.publishing.models import File, Revision
from weights.storage.models import Blob
from weights.uploads.models import Upload
from weights.uploads.presence import present_sizes

_DRAFT = Revision.State.DRAFT


def used(person: User) -> int:
    """Bytes of the person's live uploads, and of the objects that only their drafts hold."""
    uploads = Upload.objects.live().filter(person=person).exclude(state=Upload.State.REFUSED)
    drafts = File.objects.filter(revision__author=person, revision__state=_DRAFT)
    others = File.objects.exclude(revision__state=_DRAFT)
    blobs = Blob.objects.filter(pk__in=drafts.values("blob")).exclude(
        models.Q(sha256__in=uploads.values("sha256"))
        | models.Exists(others.filter(blob=models.OuterRef("pk")))
    )
    return _total(uploads) + _total(blobs)


def demand_room(person: User, size: int) -> None:
    """Raise QuotaExceeded unless `size` more bytes fit. Call it with the person's row locked."""
    quota = settings.UPLOAD_QUOTA
    taken = used(person)
    if taken + size > quota:
        raise QuotaExceeded(
            f"{format_size(size)} more would exceed your quota of {format_size(quota)} for uploads"
            f" and drafts, of which {format_size(taken)} are taken; publish or discard drafts, or"
            " ask the operator to raise UPLOAD_QUOTA_GB"
        )


def demand_room_for_files(
    checkpoint: Checkpoint, person: User, files: Iterable[tuple[int, bytes]]
) -> None:
    """Raise QuotaExceeded if files, known only by (size, beginning), cannot fit.

    This refuses early only what `demand_room` would refuse later. A file with the size of a present
    object may be that object, and files of equal size and beginning may be the same file, so
    neither is counted.
    """
    distinct = set(files)
    room = settings.UPLOAD_QUOTA - used(person)
    if sum(size for size, _ in distinct) <= room:
        return
    held = present_sizes(checkpoint, person, {size for size, _ in distinct})
    if missing := [size for size, _ in distinct if size not in held]:
        demand_room(person, sum(missing))


def _total(rows: "models.QuerySet[Upload] | models.QuerySet[Blob]") -> int:
    return int(rows.aggregate(total=models.Sum("size", default=0))["total"])
