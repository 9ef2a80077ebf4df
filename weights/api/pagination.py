"""Query parameters that lists share, and the URL of the next page."""

from typing import Annotated
from urllib.parse import urlencode

from ninja import Query

from weights.api.authentication import ApiRequest
from weights.api.schemas.common import absolute_url

Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]
#: PostgreSQL rejects text that contains NUL.
NO_NUL = r"^[^\x00]*$"


def next_page_url(
    request: ApiRequest,
    query: dict[str, str | bool | None],
    *,
    limit: int,
    offset: int,
    total: int,
) -> str | None:
    """The URL of the next page, None on the last. Empty values of `query` are left out."""
    if offset + limit >= total:
        return None
    params = {
        key: str(value).lower() if isinstance(value, bool) else value
        for key, value in query.items()
        if value not in ("", None)
    }
    page = {"limit": limit, "offset": offset + limit}
    return absolute_url(f"{request.path}?{urlencode(params | page)}")
