"""Public notices of recalls: subject, places, reason and state, never who fetched it."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from accounts.api_tokens.models import ApiToken
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.publishing.models import File
from weights.recalls.affected import Place, replacements
from weights.recalls.models import Recall

#: Places listed per recall; a small file, such as an empty one, can occur in thousands.
MAX_PLACES = 50


@dataclass(frozen=True)
class Notice:
    """A recall, and at most MAX_PLACES of its places that the reader may see."""

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
        """The checkpoint of the revision, or of the blob's first place."""
        if self.recall.revision is not None:
            return self.recall.revision.checkpoint.repo_id
        return self.places[0].repo_id if self.places else ""


def visible_recalls(user: User | None, token: ApiToken | None = None) -> QuerySet[Recall]:
    """The recalls visible to the user with `token`, newest first."""
    return _related(Recall.objects.visible_to(user, token))


def of_checkpoint(checkpoint: Checkpoint) -> list[Notice]:
    """The notices of one checkpoint, with its own places only: at most two queries."""
    checkpoints = Checkpoint.objects.filter(pk=checkpoint.pk)
    return _notices(_related(Recall.objects.about(checkpoints)), checkpoints)


def notices_for(
    recalls: Iterable[Recall], user: User | None, token: ApiToken | None = None
) -> list[Notice]:
    """The notices with the places that the user may see with `token`."""
    return _notices(recalls, Checkpoint.objects.visible_to(user, token).published())


def notice_detail(recall: Recall, user: User | None) -> Notice:
    """The notice with the replacement in each place, if any."""
    [notice] = notices_for([recall], user)
    replaced = replacements(recall)
    return Notice(recall, [replaced.get((one.repo_id, one.path), one) for one in notice.places])


def _related(recalls: QuerySet[Recall]) -> QuerySet[Recall]:
    return recalls.select_related("blob", "revision__checkpoint", "repaired_in").distinct()


def _notices(recalls: Iterable[Recall], checkpoints: QuerySet[Checkpoint]) -> list[Notice]:
    recalls = list(recalls)
    blobs = [recall.blob_id for recall in recalls if recall.blob_id is not None]
    uses = File.objects.filter(
        blob__in=blobs, revision__visible_at__isnull=False, revision__checkpoint__in=checkpoints
    )
    places: dict[int, dict[Place, None]] = {}
    if blobs:
        ordered = uses.order_by("revision__checkpoint__org", "revision__checkpoint__name", "path")
        names = ("blob", "revision__checkpoint__org", "revision__checkpoint__name", "path")
        for blob, org, name, path in ordered.values_list(*names).distinct():
            listed = places.setdefault(blob, {})
            if len(listed) < MAX_PLACES:
                listed[Place(f"{org}/{name}", path)] = None
    return [Notice(recall, list(places.get(recall.blob_id or 0, {}))) for recall in recalls]
