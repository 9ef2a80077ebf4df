"""Who fetched what is called back, and where it stood: the ledger's answer."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from weights.ledger.models import Download
from weights.publishing.models import File, Ref, Revision
from weights.recalls.models import Recall

_FETCHED = (Download.Outcome.SERVED, Download.Outcome.REDIRECTED)


def fetches(recall: Recall) -> QuerySet[Download]:
    """Every answer with these bytes, or with the way to them, until they were repaired."""
    rows = Download.objects.filter(outcome__in=_FETCHED)
    if recall.blob is not None:
        rows = rows.filter(sha256=recall.blob.sha256)
    elif recall.revision is not None:
        rows = rows.filter(
            checkpoint_id=recall.revision.checkpoint_id, revision=recall.revision.sha
        )
    return rows.filter(at__lt=recall.repaired_at) if recall.repaired_at else rows


def people_after(recall: Recall, person: int, most: int) -> list[int]:
    """The next ids of people who fetched it, in their order; a link counts as its holder."""
    known = fetches(recall).filter(user_id__gt=person)
    ids = known.order_by("user_id").values_list("user_id", flat=True).distinct()[:most]
    return [pk for pk in ids if pk is not None]


@dataclass(frozen=True)
class Reach:
    """How many people and how many answers without a name; never who."""

    people: int
    answers: int
    anonymous: int


def reach(recall: Recall, rows: "QuerySet[Download] | None" = None) -> Reach:
    """One query; over `rows` alone, where they are given."""
    found = (fetches(recall) if rows is None else rows).aggregate(
        people=Count("user_id", distinct=True),
        answers=Count("pk"),
        anonymous=Count("pk", filter=Q(user_id=None)),
    )
    return Reach(**found)


@dataclass(frozen=True, order=True)
class Place:
    """Where somebody had the file from, and what stands there now, if that is something else."""

    repo_id: str
    path: str
    new_sha256: str = ""
    new_revision: str = ""


def places_by_person(recall: Recall, people: Iterable[int]) -> dict[int, list[Place]]:
    """By person, the places where they fetched these bytes: one query, and those of `now_at`."""
    now = now_at(recall)
    rows = fetches(recall).filter(user_id__in=people)
    found: dict[int, list[Place]] = {}
    for person, repo_id, path in rows.values_list("user_id", "repo_id", "path").distinct():
        if person is not None:
            place = now.get((repo_id, path)) or Place(repo_id, path)
            found.setdefault(person, []).append(place)
    return {person: sorted(places) for person, places in found.items()}


def now_at(recall: Recall) -> dict[tuple[str, str], Place]:
    """Places whose branch has other bytes by now: two queries."""
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
    found = {}
    for file in files.select_related("blob", "revision__checkpoint"):
        revision = file.revision
        if (revision.checkpoint_id, revision.branch, file.path) in names:
            repo_id = revision.checkpoint.repo_id
            found[repo_id, file.path] = Place(repo_id, file.path, file.sha256, revision.sha)
    return found
