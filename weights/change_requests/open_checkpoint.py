"""The act of opening a checkpoint to more people, or earlier; a second person approves it."""

from datetime import datetime
from typing import Any

from django.urls import reverse

from accounts.change_requests.acts import Act, Change, Description
from accounts.change_requests.models import ChangeRequest
from accounts.grants.models import Grant
from accounts.roles.permissions import Role
from accounts.tiers import services, strictness
from accounts.tiers.models import Tier
from weights.catalogue import checkpoint_tiers
from weights.catalogue.models import Checkpoint


class OpenCheckpoint(Act):
    name, title = checkpoint_tiers.OPEN, "Open a checkpoint further"
    requesters = frozenset({Role.RELEASE_OWNER})
    #: Lead reviewers do not see private checkpoints.
    confirmers = frozenset({Role.RELEASE_OWNER, Role.ADMINISTRATOR})

    def describe(self, request: ChangeRequest) -> Description:
        checkpoint = _checkpoint(request)
        sentences, changes = [], []
        for name, (before, after) in request.parameters.items():
            sentence, added = _DESCRIBED[name](checkpoint, before, after)
            sentences.append(sentence)
            changes.extend(added)
        path = reverse("admin:weights_checkpoint_change", args=[checkpoint.pk])
        return Description("; ".join(sentences), changes, path)

    def obstacle(self, request: ChangeRequest) -> str:
        checkpoint = _checkpoint(request)
        if not request.tiers.filter(pk=checkpoint.tier_id).exists():
            return f"{checkpoint} is now in the tier {checkpoint.tier}"
        return checkpoint_tiers.changed_since(checkpoint, request.parameters)

    def execute(self, request: ChangeRequest) -> None:
        values = request.parameters
        checkpoint_tiers.open_checkpoint(_checkpoint(request), values, by=request.requester)


def _checkpoint(request: ChangeRequest) -> Checkpoint:
    return Checkpoint.objects.select_related("tier").get(pk=request.object_id)


def _move(checkpoint: Checkpoint, before: int, after: int) -> tuple[str, list[Change]]:
    tiers = Tier.objects.select_related("licence").in_bulk([before, after])
    old, new = tiers[before], tiers[after]
    terms = services.public_terms(old), services.public_terms(new)
    differing = [name for name in strictness.FIELDS if terms[0][name] != terms[1][name]]
    changes = [Change(services.LABELS[name], terms[0][name], terms[1][name]) for name in differing]
    holders = [str(Grant.objects.live().filter(tier=tier).count()) for tier in (old, new)]
    changes += [Change("Tier", str(old), str(new)), Change("People with access", *holders)]
    return f"Move {checkpoint} from {old} to {new}", changes


def _publicity(checkpoint: Checkpoint, before: bool, after: bool) -> tuple[str, list[Change]]:
    seen = Change("Seen by", "staff with a role for its tier", "everybody")
    return f"Make {checkpoint} public", [seen]


def _embargo(
    checkpoint: Checkpoint, before: str | None, after: str | None
) -> tuple[str, list[Change]]:
    until, ends = _time(before), _time(after) if after else "at once"
    return f"End the embargo of {checkpoint} early", [Change("Embargo ends", until, ends)]


def _time(value: str | None) -> str:
    return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M} UTC" if value else "none"


_DESCRIBED: dict[str, Any] = {"tier": _move, "private": _publicity, "embargo_until": _embargo}
