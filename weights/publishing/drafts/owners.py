"""The owners of a checkpoint: the active release owners of its tier."""

from django.db import models

from accounts.api_tokens.models import Scope
from accounts.errors import DomainError, NotAllowed
from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment, in_tiers
from accounts.roles.permissions import OWNERS
from accounts.tiers.models import Tier
from accounts.users import recent_authentication
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.errors import GateRefused
from weights.gate.caller import Caller
from weights.gate.refusals import Missing, Refusal, sentence


def tiers_of(person: User) -> "models.QuerySet[Tier]":
    """The tiers that this person is a release owner of, in display order; only for active staff."""
    if not is_active_staff(person):
        return Tier.objects.none()
    tiers = RoleAssignment.objects.held(person, OWNERS).tiers()
    return in_tiers(Tier.objects.all(), tiers, "pk")


def is_owner(user: User, checkpoint: Checkpoint) -> bool:
    """True for active staff with the role release owner for the checkpoint's tier."""
    return RoleAssignment.objects.covers(user, OWNERS, checkpoint.tier)


def demand_owner(user: User, checkpoint: Checkpoint) -> None:
    """Raise NotAllowed unless `user` owns the checkpoint."""
    if not is_owner(user, checkpoint):
        raise NotAllowed(f"you are not a release owner of {checkpoint}")


def require_owner(caller: Caller, checkpoint: Checkpoint) -> User:
    """Return the caller's user, if their session or write token may change the checkpoint.

    A checkpoint that the caller must not know about is reported as missing. Raises GateRefused for
    a missing checkpoint or credential and for a token's limits, NotAllowed without the role, and
    RecentAuthenticationRequired for a token that was made long after the sign-in.
    """
    try:
        return _owner(caller, checkpoint)
    except DomainError:
        visible = Checkpoint.objects.visible_to(caller.user, caller.token)
        if not visible.filter(pk=checkpoint.pk).exists():
            message = sentence(Missing.REPOSITORY, repo=checkpoint.repo_id)
            raise GateRefused(Missing.REPOSITORY, message) from None
        raise


def _owner(caller: Caller, checkpoint: Checkpoint) -> User:
    user = require_writer(caller, checkpoint.repo_id)
    demand_owner(user, checkpoint)
    return user


def require_writer(caller: Caller, repo_id: str) -> User:
    """Return the user of a session, or of a token that may write to `repo_id`.

    Does not check the user's roles. Raises GateRefused, and RecentAuthenticationRequired for a
    token that was made long after the sign-in.
    """
    if caller.problem is not None:
        raise GateRefused(caller.problem, sentence(caller.problem))
    if caller.user is None or caller.kind not in {"session", "token"}:
        raise GateRefused(Refusal.LOGIN_REQUIRED, "Send a token that may publish")
    if caller.token is not None:
        if Scope.WRITE not in caller.token.scopes or not caller.token.covers(repo_id):
            raise GateRefused(
                Refusal.TOKEN_SCOPE,
                f"This token may not publish to {repo_id}: it lacks the scope write, or is limited"
                " to other checkpoints",
            )
        recent_authentication.require_token(caller.token.recently_authenticated)
    return caller.user
