"""What is known to be wrong with checkpoints, and what was found out about them."""

from ninja import Query, Router

from weights.api import schemas
from weights.api.answers import READ, answers
from weights.api.authentication import ApiRequest, OptionalToken
from weights.api.routers.checkpoints import FAR, NO_NUL, following
from weights.catalogue.models import KnownIssue

router = Router(tags=["Checkpoints"], auth=OptionalToken())


@router.api_operation(
    READ,
    "/issues",
    response=answers(schemas.IssuePage, 422),
    summary="List known issues and findings",
)
def issue_list(
    request: ApiRequest,
    repo: str = Query("", max_length=193, pattern=NO_NUL, description="Of one checkpoint"),
    limit: int = Query(50, ge=1, le=100),
    offset: int = Query(0, ge=0, le=FAR),
) -> schemas.IssuePage:
    """Those published here, newest first; one that was mended has `resolved_at`."""
    found = KnownIssue.objects.visible_to(request.auth.user).select_related("checkpoint")
    if repo:
        org, _, name = repo.partition("/")
        found = found.filter(checkpoint__org=org, checkpoint__name=name)
    total = found.count()
    return schemas.IssuePage(
        issues=[schemas.IssueTold.of(issue) for issue in found[offset : offset + limit]],
        total=total,
        next=following("/issues", {"repo": repo}, limit, offset, total),
    )
