"""Tiers: their terms, and the history of their changes."""

from typing import Any

from ninja import Router

from accounts.tiers.models import Tier
from accounts.tiers.views import public_changes, question_labels
from weights.api.authentication import ApiRequest, OptionalToken
from weights.api.lookups import get_tier
from weights.api.operations import READ_METHODS, responses
from weights.api.pagination import Limit, Offset, page_facts
from weights.api.schemas.tiers import TierChangePage, TierDetail, TierOut

router = Router(tags=["Tiers"], auth=OptionalToken())


@router.api_operation(
    READ_METHODS, "/tiers", response=responses(list[TierOut]), summary="List the tiers"
)
def tier_list(request: ApiRequest) -> list[TierOut]:
    """In the order of the catalogue; every checkpoint belongs to one."""
    return [TierOut.from_orm(tier) for tier in Tier.objects.all()]


@router.api_operation(
    READ_METHODS,
    "/tiers/{slug}",
    response=responses(TierDetail, 404),
    summary="Read a tier's terms",
)
def tier_detail(request: ApiRequest, slug: str) -> TierDetail:
    """Its conditions in plain language and as codes of the Data Use Ontology."""
    tier = get_tier(slug)
    return TierDetail.of(tier, tier.licence_in_force(), question_labels(tier))


@router.api_operation(
    READ_METHODS,
    "/tiers/{slug}/changes",
    response=responses(TierChangePage, 404, 422),
    summary="Read a tier's history",
)
def tier_changes(
    request: ApiRequest,
    slug: str,
    limit: Limit = 50,
    offset: Offset = 0,
) -> dict[str, Any]:
    """Each change with its time and the role that made it, newest first."""
    found = public_changes(get_tier(slug))
    facts = page_facts(request, found.count(), limit=limit, offset=offset)
    return {"changes": found[offset : offset + limit], **facts}
