"""Look up objects by the names in a URL; each function raises ApiError for an unknown name."""

from django.utils import timezone

from accounts.tiers.models import Tier
from accounts.web.sanitize import is_storable
from weights import gate
from weights.api.problems import ApiError
from weights.catalogue.models import Checkpoint
from weights.errors import WeightsCode
from weights.gate.caller import Caller
from weights.publishing.models import Revision


def get_visible_checkpoint(caller: Caller, repo_id: str) -> Checkpoint:
    """Any catalogue entry visible to the caller; a private one looks like a missing one."""
    checkpoint = Checkpoint.objects.visible_to(caller.user, caller.token).by_repo_id(repo_id)
    if checkpoint is None:
        raise ApiError(WeightsCode.REPOSITORY_NOT_FOUND, f"There is no checkpoint {repo_id} here.")
    return checkpoint


def get_published_checkpoint(caller: Caller, repo_id: str) -> Checkpoint:
    """A checkpoint whose revisions and manifests the caller may read, with or without a grant."""
    decision = gate.may_read_checkpoint(caller, repo_id, timezone.now())
    if not decision.allowed or decision.checkpoint is None:
        raise ApiError.from_decision(decision)
    return decision.checkpoint


def get_revision(checkpoint: Checkpoint, name: str) -> Revision:
    """The visible revision of a branch, tag or id; a withdrawn one is 410."""
    revision = gate.find_revision(checkpoint, name)
    if revision is None:
        if (withdrawn := gate.withdrawn(checkpoint, name)) is not None:
            raise ApiError.from_decision(withdrawn)
        raise ApiError(WeightsCode.REVISION_NOT_FOUND, f"{checkpoint} has no revision {name}.")
    return revision


def get_tier(slug: str) -> Tier:
    """The tier with its licence."""
    tiers = Tier.objects.select_related("licence")
    tier = tiers.filter(slug=slug).first() if is_storable(slug) else None
    if tier is None:
        raise ApiError(WeightsCode.TIER_NOT_FOUND, f"There is no tier {slug} here.")
    return tier
