"""Translates the Hub's settings `gated` and `visibility` into a checkpoint's tier and privacy."""

from typing import Any

from accounts.errors import InvalidValue
from accounts.tiers.models import Tier
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.errors import PublishRefused
from weights.hub_api.payloads import GATED
from weights.publishing.drafts import owners

_MODES = {gated: mode for mode, gated in GATED.items()}


def apply(checkpoint: Checkpoint, body: dict[str, Any], by: User) -> None:
    """Sets tier and privacy as `body` requests; the caller saves the checkpoint.

    Raises InvalidValue for an unknown setting, and PublishRefused for one that is not possible.
    """
    gated, private = body.get("gated"), _private(body)
    if gated is None and private is None:
        raise InvalidValue("set gated to auto, manual or false, or visibility to public or private")
    if gated is not None:
        checkpoint.tier = _tier(checkpoint, gated, by)
    if private is False and checkpoint.published_at is None:
        raise PublishRefused(
            f"{checkpoint} is a draft and stays private until it is published; publish it instead"
        )
    if private is not None:
        checkpoint.private = private


def _private(body: dict[str, Any]) -> bool | None:
    """The requested privacy, in either spelling that clients use; None if not requested."""
    if isinstance(body.get("private"), bool):
        return bool(body["private"])
    visibility = body.get("visibility")
    if visibility is None:
        return None
    if visibility not in ("public", "private"):  # a tuple, since it may be any JSON value
        raise InvalidValue("the visibility of a model is public or private")
    return bool(visibility == "private")


def _tier(checkpoint: Checkpoint, gated: Any, by: User) -> Tier:
    """The checkpoint's tier if it has this mode, else the person's only tier of this mode."""
    mode = _MODES.get(gated) if isinstance(gated, str | bool) else None
    if mode is None:
        raise InvalidValue("gated is auto, manual or false")
    if checkpoint.tier.access_mode is mode:
        return checkpoint.tier
    found = list(owners.tiers_of(by).filter(mode=mode, retired_at=None)[:10])
    if len(found) == 1:
        return found[0]
    slugs = ", ".join(tier.slug for tier in found) or "none"
    raise PublishRefused(
        f"choose the tier of {checkpoint} in the admin; {mode} tiers that you may publish in:"
        f" {slugs}"
    )
