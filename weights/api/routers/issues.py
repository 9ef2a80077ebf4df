"""Known issues of checkpoints, and findings about them."""

from typing import Any

from ninja import Query, Router

from weights.api.authentication import ApiRequest, OptionalToken
from weights.api.operations import READ_METHODS, responses
from weights.api.pagination import NO_NUL, Limit, Offset, page_facts
from weights.api.schemas.checkpoints import IssuePage
from weights.known_issues.models import KnownIssue

router = Router(tags=["Checkpoints"], auth=OptionalToken())


@router.api_operation(
    READ_METHODS,
    "/issues",
    response=responses(IssuePage, 422),
    summary="List known issues and findings",
)
def issue_list(
    request: ApiRequest,
    repo: str = Query("", max_length=193, pattern=NO_NUL, description="ORG/NAME of one checkpoint"),
    limit: Limit = 50,
    offset: Offset = 0,
) -> dict[str, Any]:
    """Published ones, newest first; a resolved issue has `resolved_at`."""
    caller = request.auth
    visible = KnownIssue.objects.visible_to(caller.user, caller.token)
    found = visible.select_related("checkpoint")
    if repo:
        org, _, name = repo.partition("/")
        found = found.filter(checkpoint__org=org, checkpoint__name=name)
    facts = page_facts(request, found.count(), limit=limit, offset=offset, repo=repo)
    return {"issues": found[offset : offset + limit], **facts}
