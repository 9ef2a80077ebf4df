"""Reads the logbook: filters, search, and the branches or tags of training steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.db.models import Q

from accounts.web.sanitize import storable
from weights.catalogue.models import Checkpoint, Family
from weights.logbook.models import LogbookEntry, LogbookQuerySet, LogbookSeries, Record
from weights.publishing.models import Ref, Revision

if TYPE_CHECKING:
    from accounts.users.models import User

_SUBJECTS = ("checkpoint", "checkpoint__tier", "family")


@dataclass(frozen=True)
class Filter:
    """Filters of the timeline; an empty field matches every record."""

    query: str = ""
    cause: str = ""
    family: str = ""
    checkpoint: str = ""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> "Filter":
        def text(name: str) -> str:
            return storable(parameters.get(name, "").strip()[:200])

        return cls(text("q"), text("cause"), text("family"), text("checkpoint"))

    @property
    def encoded(self) -> str:
        """The non-empty fields as URL parameters."""
        fields = {
            "q": self.query,
            "cause": self.cause,
            "family": self.family,
            "checkpoint": self.checkpoint,
        }
        return urlencode({name: value for name, value in fields.items() if value})


def entries(wanted: Filter, user: "User | None") -> LogbookQuerySet[LogbookEntry]:
    """Matching entries that `user` may see, oldest first, with their subjects."""
    found = _about(LogbookEntry.objects.visible_to(user), wanted, user)
    if wanted.cause:
        found = found.filter(cause=wanted.cause)
    for word in wanted.query.split():
        found = found.filter(
            Q(title__icontains=word)
            | Q(text__icontains=word)
            | Q(shown_date__icontains=word)
            | Q(source__icontains=word)
            | Q(checkpoint__name__icontains=word)
        )
    return found.select_related(*_SUBJECTS)


def curves(wanted: Filter, user: "User | None") -> LogbookQuerySet[LogbookSeries]:
    """Curves that `user` may see, of the checkpoint or family in `wanted`."""
    found = _about(LogbookSeries.objects.visible_to(user), wanted, user)
    return found.select_related(*_SUBJECTS)


def choices(user: "User | None") -> tuple[list[Family], list[Checkpoint]]:
    """Families and checkpoints with entries that `user` may see."""
    visible = LogbookEntry.objects.visible_to(user)
    checkpoints = Checkpoint.objects.filter(pk__in=visible.values("checkpoint"))
    families = Family.objects.filter(
        Q(pk__in=visible.values("family")) | Q(checkpoints__in=checkpoints)
    )
    return list(families.distinct()), list(checkpoints)


def latest_about(checkpoint: Checkpoint, count: int) -> list[LogbookEntry]:
    """The newest entries about a checkpoint that the user may see, or its family as a whole."""
    found = LogbookEntry.objects.about(checkpoint).select_related(*_SUBJECTS)
    return list(found.order_by("-date", "-pk")[:count])


def step_refs(shown: Sequence[LogbookEntry]) -> dict[tuple[int | None, int | None], str]:
    """(checkpoint, step) -> the branch or tag of the visible revision of that step."""
    steps = {
        f"step{dash}{entry.step}": entry.step
        for entry in shown
        if entry.step is not None
        for dash in ("", "-")
    }
    refs = Ref.objects.filter(
        checkpoint__in={entry.checkpoint_id for entry in shown},
        name__in=steps,
        revision__state=Revision.State.VISIBLE,
    )
    return {(ref.checkpoint_id, steps[ref.name]): ref.name for ref in refs}


def _about(
    found: LogbookQuerySet[Record], wanted: Filter, user: "User | None"
) -> LogbookQuerySet[Record]:
    if wanted.family:
        found = found.filter(
            Q(family__slug=wanted.family) | Q(checkpoint__family__slug=wanted.family)
        )
    if wanted.checkpoint:
        checkpoint = Checkpoint.objects.visible_to(user).by_repo_id(wanted.checkpoint)
        found = found.about(checkpoint) if checkpoint else found.none()
    return found
