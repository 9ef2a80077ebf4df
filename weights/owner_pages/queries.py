"""The checkpoints and unpublished revisions of a release owner, with their verification."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from accounts.tiers.models import Tier
from weights.catalogue.models import Checkpoint
from weights.publishing.drafts.queries import newest_drafts
from weights.publishing.models import File, Ref, Revision
from weights.storage.models import Blob

_VERIFIED = Q(blob__state=Blob.State.VERIFIED)
_QUARANTINED = Q(blob__state=Blob.State.QUARANTINED)


@dataclass(frozen=True)
class Unpublished:
    """An unpublished revision and its files by state; `done` and `total` in bytes."""

    revision: Revision
    files: int = 0
    verified: int = 0
    quarantined: int = 0
    done: int = 0
    total: int = 0

    @property
    def waiting(self) -> int:
        return self.files - self.verified - self.quarantined

    @property
    def is_draft(self) -> bool:
        return self.revision.state == Revision.State.DRAFT

    @property
    def state(self) -> tuple[str, str]:
        """The kind and the text of its badge."""
        if self.quarantined or self.revision.state == Revision.State.FAILED:
            return "refused", "A file failed its check"
        if self.waiting:
            return "waiting", "Being verified"
        if not self.files:
            return "absent", "Empty"
        return "verified", "Verified"


def unpublished(revisions: Iterable[Revision]) -> list[Unpublished]:
    """The revisions with their verification progress, with one query."""
    found = {revision.pk: revision for revision in revisions}
    counted = File.objects.filter(revision__in=found).order_by().values("revision")
    counted = counted.annotate(
        files=Count("pk"),
        verified=Count("pk", filter=_VERIFIED),
        quarantined=Count("pk", filter=_QUARANTINED),
        done=Sum("blob__size", filter=_VERIFIED | _QUARANTINED, default=0),
        total=Sum("blob__size", default=0),
    )
    names = ("files", "verified", "quarantined", "done", "total")
    numbers = {row[0]: row[1:] for row in counted.values_list("revision", *names)}
    return [Unpublished(one, *numbers.get(pk, ())) for pk, one in found.items()]


def checkpoints_in(tiers: Iterable[Tier]) -> QuerySet[Checkpoint]:
    """The checkpoints of these tiers, the most recently changed first."""
    drafts = newest_drafts().filter(checkpoint=OuterRef("pk"))
    found = Checkpoint.objects.filter(tier__in=list(tiers)).select_related("tier")
    return found.annotate(has_drafts=Exists(drafts)).order_by("-updated_at", "org", "name")


def revisions_in_work(checkpoint: Checkpoint, drafts: QuerySet[Revision]) -> list[Revision]:
    """The newest drafts, and revisions that are pending or failed."""
    own = drafts.filter(checkpoint=checkpoint)
    waiting = checkpoint.revisions.awaiting_verification().select_related("author")
    later = Revision.objects.visible().filter(
        checkpoint=checkpoint, branch=OuterRef("branch"), pk__gt=OuterRef("pk")
    )
    found = [*own, *waiting.exclude(Exists(later))]
    return sorted(found, key=lambda revision: -revision.pk)


def refs_by_revision(checkpoint: Checkpoint) -> dict[int, list[Ref]]:
    found: dict[int, list[Ref]] = {}
    for ref in Ref.objects.filter(checkpoint=checkpoint):
        found.setdefault(ref.revision_id, []).append(ref)
    return found
