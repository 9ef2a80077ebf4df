"""Look up visible and withdrawn revisions by name."""

from accounts.web.sanitize import is_storable
from weights.catalogue.models import Checkpoint
from weights.gate import decision
from weights.gate.decision import Decision
from weights.publishing.models import Ref, Revision, RevisionQuerySet
from weights.publishing.queries import DEFAULT_BRANCH, SHA, ref_name


def find_revision(checkpoint: Checkpoint, name: str) -> Revision | None:
    """The visible revision of this name."""
    return _named(Revision.objects.visible().select_related("measured"), checkpoint, name)


def main_revision(checkpoint: Checkpoint) -> Revision | None:
    """The visible revision of `main`; runs no query if nothing was published yet."""
    return find_revision(checkpoint, DEFAULT_BRANCH) if checkpoint.published_at else None


def withdrawn(checkpoint: Checkpoint, name: str) -> Decision | None:
    """The refusal if the name belongs to a withdrawn revision; None for any other name."""
    found = _named(Revision.objects.tombstones(), checkpoint, name)
    return decision.withdrawn(checkpoint, found) if found is not None else None


def _named(among: RevisionQuerySet, checkpoint: Checkpoint, name: str) -> Revision | None:
    if not is_storable(name):
        return None
    among = among.filter(checkpoint=checkpoint)
    if SHA.fullmatch(name):
        return among.filter(sha=name).first()
    short, kind = ref_name(name)
    refs = Ref.objects.filter(checkpoint=checkpoint, name=short)
    if kind is not None:
        refs = refs.filter(kind=kind)
    return among.filter(refs__in=refs).first()
