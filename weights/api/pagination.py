"""Query parameters shared by lists, and the URL of the next page."""

from typing import Annotated, Any
from urllib.parse import urlencode

from ninja import Query

from weights.api.authentication import ApiRequest
from weights.api.schemas.common import absolute_url

Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]
#: PostgreSQL rejects text that contains NUL.
NO_NUL = r"^[^\x00]*$"


def page_facts(
    request: ApiRequest, total: int, *, limit: int, offset: int, **query: str | bool | None
) -> dict[str, Any]:
    """Returns `total` and the URL of the `next` page, which is None on the last page.

    The URL omits empty values of `query`.
    """
    if offset + limit >= total:
        return {"total": total, "next": None}
    params = {
        key: str(value).lower() if isinstance(value, bool) else value
        for key, value in query.items()
        if value not in ("", None)
    }
    page = {"limit": limit, "offset": offset + limit}
    url = absolute_url(f"{request.path}?{urlencode(params | page)}")
    return {"total": total, "next": url}
