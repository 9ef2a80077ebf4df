"""The caller's grants: list, accept a licence, surrender."""

from datetime import datetime
from uuid import UUID

from django.db.models import Prefetch
from django.utils import timezone
from ninja import Router

from accounts.applications import services
from accounts.errors import AlreadyHeld
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.grants.queries import live_grant
from accounts.tiers.models import LicenceVersion
from weights.api.authentication import ApiRequest, BearerToken, GatedToken, current_user
from weights.api.lookups import get_tier
from weights.api.operations import BODY_ERRORS, READ_METHODS, responses
from weights.api.problems import ApiError
from weights.api.schemas.grants import GrantOut, LicenceAcceptanceIn, ReceiptOut
from weights.errors import WeightsCode

router = Router(tags=["Applications and grants"], auth=GatedToken())


@router.api_operation(
    READ_METHODS,
    "/grants",
    response=responses(list[GrantOut]),
    auth=BearerToken(),
    summary="List my grants",
)
def grant_list(request: ApiRequest) -> list[GrantOut]:
    """Newest first, ended grants included. Only a live grant opens gated checkpoints."""
    now = timezone.now()
    in_force = LicenceVersion.objects.filter(effective_at__lte=now).order_by("-effective_at")
    newest = Prefetch("tier__licence__versions", in_force, to_attr="in_force_first")
    grants = Grant.objects.filter(user=current_user(request)).select_related(
        "tier__licence", "licence_version__licence"
    )
    return [
        GrantOut.of(grant, outdated=_is_outdated(grant, now))
        for grant in grants.prefetch_related(newest).order_by("-starts_at")
    ]


@router.post(
    "/grants",
    response=responses(GrantOut, 404, 409, *BODY_ERRORS),
    summary="Accept a licence",
)
def licence_accept(request: ApiRequest, body: LicenceAcceptanceIn) -> GrantOut:
    """Opens a click-through tier, or renews a grant after its licence has changed.

    Accepting the same text again changes nothing. 409 if the hash is not that of the text in
    force, or if the tier requires an application first.
    """
    tier, user = get_tier(body.tier), current_user(request)
    try:
        grant = services.accept_licence(user, tier, licence_sha256=body.licence_sha256)
    except AlreadyHeld:
        live = live_grant(user, tier)
        if live is None:  # an open application from before the tier was click-through
            raise
        grant = live
    return GrantOut.of(grant, outdated=False)


@router.post(
    "/grants/{uuid:public_id}/surrender",
    response=responses(ReceiptOut, 404, 409),
    summary="Surrender a grant",
)
def grant_surrender(request: ApiRequest, public_id: UUID) -> ReceiptOut:
    """Ends access to the tier immediately and permanently.

    The receipt lists URLs of the store that were issued before and when each expires. 409 if
    the grant is not active.
    """
    user = current_user(request)
    grants = Grant.objects.filter(user=user).select_related("tier", "user")
    grant = grants.filter(public_id=public_id).first()
    if grant is None:
        raise ApiError(WeightsCode.GRANT_NOT_FOUND, f"You have no grant {public_id}.")
    return ReceiptOut.from_orm(lifecycle.surrender(grant, by=user))


def _is_outdated(grant: Grant, now: datetime) -> bool:
    licence = grant.tier.licence
    in_force: list[LicenceVersion] = licence.in_force_first if licence else []  # type: ignore[attr-defined]
    return not grant.has_valid_licence(now, grant.tier, in_force)
