"""People who downloaded recalled bytes, and the files they took, according to the ledger."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from accounts.users.models import User
from weights.ledger.models import Download
from weights.publishing.models import File, Ref, Revision
from weights.recalls.models import Recall, RecallQuerySet


def fetches(recall: Recall) -> QuerySet[Download]:
    """All responses that sent these bytes or redirected to them, until the recall was closed."""
    rows = Download.objects.fetched()
    if recall.blob is not None:
        rows = rows.filter(sha256=recall.blob.sha256)
    elif recall.revision is not None:
        rows = rows.filter(
            checkpoint_id=recall.revision.checkpoint_id, revision=recall.revision.sha
        )
    return rows.filter(at__lt=recall.repaired_at) if recall.repaired_at else rows


def recalls_of(user: User, *, repaired_after: datetime) -> RecallQuerySet:
    """Recalls of bytes that the person downloaded: open ones, and those repaired since then."""
    own = Download.objects.fetched().filter(user_id=user.pk)
    blob = own.filter(sha256=OuterRef("blob__sha256"))
    revision = own.filter(
        checkpoint_id=OuterRef("revision__checkpoint_id"), revision=OuterRef("revision__sha")
    )
    current = Q(state=Recall.State.OPEN) | Q(repaired_at__gte=repaired_after)
    recalls = Recall.objects.filter(current).filter(Q(Exists(blob)) | Q(Exists(revision)))
    return recalls.order_by("-opened_at")


def next_people(recall: Recall, after: int, limit: int) -> list[int]:
    """Sorted ids above `after` of people who downloaded the bytes; a link counts for its holder."""
    rows = fetches(recall).filter(user_id__gt=after)
    ids = rows.order_by("user_id").values_list("user_id", flat=True).distinct()[:limit]
    return [pk for pk in ids if pk is not None]


@dataclass(frozen=True)
class Reach:
    """Numbers of people, of responses and of anonymous responses."""

    people: int
    answers: int
    anonymous: int


def reach(recall: Recall, rows: "QuerySet[Download] | None" = None) -> Reach:
    """Counts `rows`, by default all fetches of the recall, in one query."""
    counts = (fetches(recall) if rows is None else rows).aggregate(
        people=Count("user_id", distinct=True),
        answers=Count("pk"),
        anonymous=Count("pk", filter=Q(user_id=None)),
    )
    return Reach(**counts)


@dataclass(frozen=True, order=True)
class Place:
    """A path that had the bytes, and the file that has replaced them there, if any."""

    repo_id: str
    path: str
    new_sha256: str = ""
    new_revision: str = ""


def places_by_person(recall: Recall, people: Iterable[int]) -> dict[int, list[Place]]:
    """The places where each person fetched the bytes; one query, and those of `replacements`."""
    replaced = replacements(recall)
    rows = fetches(recall).filter(user_id__in=people)
    by_person: dict[int, list[Place]] = {}
    for person, repo_id, path in rows.values_list("user_id", "repo_id", "path").distinct():
        if person is not None:
            place = replaced.get((repo_id, path)) or Place(repo_id, path)
            by_person.setdefault(person, []).append(place)
    return {person: sorted(places) for person, places in by_person.items()}


def replacements(recall: Recall) -> dict[tuple[str, str], Place]:
    """Places whose branch now has other bytes, by repository and path, in two queries."""
    if recall.blob_id is None:
        return {}
    uses = File.objects.filter(blob=recall.blob_id, revision__visible_at__isnull=False)
    names = {
        (checkpoint, branch, path)
        for checkpoint, branch, path in uses.values_list(
            "revision__checkpoint", "revision__branch", "path"
        )
    }
    heads = Ref.objects.filter(
        kind=Ref.Kind.BRANCH,
        checkpoint__in={checkpoint for checkpoint, *_ in names},
        revision__state=Revision.State.VISIBLE,
    )
    files = File.objects.filter(
        revision__refs__in=heads, path__in={path for *_, path in names}
    ).exclude(blob=recall.blob_id)
    replaced = {}
    for file in files.select_related("blob", "revision__checkpoint"):
        revision = file.revision
        if (revision.checkpoint_id, revision.branch, file.path) in names:
            repo_id = revision.checkpoint.repo_id
            replaced[repo_id, file.path] = Place(repo_id, file.path, file.sha256, revision.sha)
    return replaced
