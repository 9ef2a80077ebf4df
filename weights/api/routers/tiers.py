"""Tiers: what each asks of a person, and what was changed of it when."""

from ninja import Query, Router

from accounts.tiers.models import Tier, TierChange
from accounts.tiers.views import public_changes, questions_of
from weights.api import schemas
from weights.api.answers import READ, answers
from weights.api.authentication import ApiRequest, OptionalToken
from weights.api.finding import tier_named
from weights.api.routers.checkpoints import FAR, following

router = Router(tags=["Tiers"], auth=OptionalToken())


@router.api_operation(
    READ, "/tiers", response=answers(list[schemas.TierTold]), summary="List the tiers"
)
def tier_list(request: ApiRequest) -> list[schemas.TierTold]:
    """By slug; every checkpoint is in one of them."""
    return [schemas.TierTold.of(tier) for tier in Tier.objects.order_by("slug")]


@router.api_operation(
    READ,
    "/tiers/{slug}",
    response=answers(schemas.TierDetail, 404),
    summary="Read a tier's terms",
)
def tier_detail(request: ApiRequest, slug: str) -> schemas.TierDetail:
    """What it asks of a person, in words and as codes of the Data Use Ontology."""
    tier = tier_named(slug)
    return schemas.TierDetail.of(tier, tier.licence.in_force(), questions_of(tier))


@router.api_operation(
    READ,
    "/tiers/{slug}/changes",
    response=answers(schemas.TierChangePage, 404, 422),
    summary="Read a tier's history",
)
def tier_changes(
    request: ApiRequest,
    slug: str,
    limit: int = Query(50, ge=1, le=100),
    offset: int = Query(0, ge=0, le=FAR),
) -> schemas.TierChangePage:
    """What was changed when and by which role, newest first."""
    found = public_changes(tier_named(slug))
    total = found.count()
    return schemas.TierChangePage(
        changes=[_told(change) for change in found[offset : offset + limit]],
        total=total,
        next=following(f"/tiers/{slug}/changes", {}, limit, offset, total),
    )


def _told(change: TierChange) -> schemas.TierChangeTold:
    return schemas.TierChangeTold(
        at=change.at,
        kind=change.kind,
        by_role=change.by_role,
        checkpoint=change.checkpoint or None,
        fields=[schemas.FieldChange(**field) for field in change.fields],
    )
