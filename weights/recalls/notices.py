"""Recalls as the public reads them: what, where, why, and how it stands. Never who fetched it."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.publishing.models import File
from weights.recalls.affected import Place, now_at
from weights.recalls.models import Recall

#: Places told of one recall; small files such as an empty one stand in very many.
PLACES = 50


@dataclass(frozen=True)
class Notice:
    """A recall and the places that its reader may know of, within `PLACES`."""

    recall: Recall
    places: list[Place]

    @property
    def title(self) -> str:
        if self.recall.revision is not None:
            return f"{self.recall.revision.checkpoint.repo_id} {self.recall.revision.sha[:12]}"
        others = len(self.places) - 1
        more = f" and {others} more place{'' if others == 1 else 's'}" if others > 0 else ""
        return f"{self.places[0].path} of {self.places[0].repo_id}{more}" if self.places else ""

    @property
    def repo_id(self) -> str:
        """The checkpoint of the revision, or of the file's first place."""
        if self.recall.revision is not None:
            return self.recall.revision.checkpoint.repo_id
        return self.places[0].repo_id if self.places else ""


def readable(user: User | None) -> QuerySet[Recall]:
    """Those this person may read of, newest first."""
    return _told(Recall.objects.visible_to(user))


def of_checkpoint(checkpoint: Checkpoint) -> list[Notice]:
    """Those about one checkpoint, its own places alone: two queries, one if there are none."""
    this = Checkpoint.objects.filter(pk=checkpoint.pk)
    return _noticed(_told(Recall.objects.about(this)), this)


def noticed(recalls: Iterable[Recall], user: User | None) -> list[Notice]:
    return _noticed(recalls, Checkpoint.objects.visible_to(user).published())


def in_full(recall: Recall, user: User | None) -> Notice:
    """With what stands in each place now, where that is something else."""
    [notice] = noticed([recall], user)
    now = now_at(recall)
    return Notice(recall, [now.get((one.repo_id, one.path), one) for one in notice.places])


def _told(recalls: QuerySet[Recall]) -> QuerySet[Recall]:
    return recalls.select_related("blob", "revision__checkpoint", "repaired_in").distinct()


def _noticed(recalls: Iterable[Recall], known: QuerySet[Checkpoint]) -> list[Notice]:
    recalls = list(recalls)
    blobs = [recall.blob_id for recall in recalls if recall.blob_id is not None]
    uses = File.objects.filter(
        blob__in=blobs, revision__visible_at__isnull=False, revision__checkpoint__in=known
    )
    places: dict[int, dict[Place, None]] = {}
    if blobs:
        told = uses.order_by("revision__checkpoint__org", "revision__checkpoint__name", "path")
        names = ("blob", "revision__checkpoint__org", "revision__checkpoint__name", "path")
        for blob, org, name, path in told.values_list(*names).distinct():
            own = places.setdefault(blob, {})
            if len(own) < PLACES:
                own[Place(f"{org}/{name}", path)] = None
    return [Notice(recall, list(places.get(recall.blob_id or 0, {}))) for recall in recalls]
