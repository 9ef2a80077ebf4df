"""Find what an address names, or end with the problem that it names nothing."""

from django.utils import timezone

from accounts.tiers.models import Tier
from accounts.web.sanitize import is_storable
from weights import gate
from weights.api.problems import Refused
from weights.catalogue.models import Checkpoint
from weights.gate.caller import Caller
from weights.publishing.models import Revision


def checkpoint_known(caller: Caller, repo_id: str) -> Checkpoint:
    """Any catalogue entry this caller may know of; a private one looks like a missing one."""
    found = Checkpoint.objects.visible_to(caller.user).by_repo_id(repo_id)
    if found is None:
        raise Refused("repository_not_found", f"There is no checkpoint {repo_id} here.")
    return found


def checkpoint_published(caller: Caller, repo_id: str) -> Checkpoint:
    """One whose revisions and manifests this caller may read, entitled to its bytes or not."""
    decision = gate.may_read_about(caller, repo_id, timezone.now())
    if not decision.allowed or decision.checkpoint is None:
        raise Refused.by(decision)
    return decision.checkpoint


def revision_named(checkpoint: Checkpoint, name: str) -> Revision:
    found = gate.find_revision(checkpoint, name)
    if found is None:
        if (gone := gate.withdrawn(checkpoint, name)) is not None:
            raise Refused.by(gone)
        raise Refused("revision_not_found", f"{checkpoint} has no revision {name}.")
    return found


def tier_named(slug: str) -> Tier:
    """The tier of this slug, with its licence."""
    tiers = Tier.objects.select_related("licence")
    found = tiers.filter(slug=slug).first() if is_storable(slug) else None
    if found is None:
        raise Refused("tier_not_found", f"There is no tier {slug} here.")
    return found
