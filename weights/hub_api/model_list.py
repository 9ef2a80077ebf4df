"""The Hub's endpoint to list and search models (docs/clients.md#the-hubs-client)."""

import re
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from accounts.web.sanitize import storable
from weights.catalogue.listing import Filters
from weights.catalogue.listing.filters import MAX_TEXT
from weights.catalogue.models import Checkpoint
from weights.gate.caller import Caller
from weights.hub_api import model_search, payloads
from weights.hub_api.decorators import hub_view
from weights.hub_api.git_trees import paths_of
from weights.hub_api.model_search import Order, SearchResult
from weights.hub_api.responses import (
    expand_param,
    is_true,
    json_response,
    next_link,
    number_param,
)

PAGE_SIZE = 1000
#: For lists that include each model's files, of which there may be many.
FULL_PAGE_SIZE = 100
#: Properties that are sent only if the query parameter of the same name is true.
_OPTIONAL = {"cardData", "config"}
#: Properties that are sent only on `expand`, as on the Hub.
_EXPAND_ONLY = {"safetensors", "gguf", "usedStorage"}
#: The portal has no likes, and ranks trends by downloads.
_ORDERS = {
    "createdAt": Order.CREATED,
    "lastModified": Order.MODIFIED,
    "downloads": Order.DOWNLOADS,
    "trendingScore": Order.DOWNLOADS,
    "likes": Order.NAME,
}
_BOUND = re.compile(r"(min|max):(\d{1,15}(?:\.\d{1,6})?)([KMBT]?)", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


@hub_view("GET", "HEAD")
def model_list(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """Published checkpoints visible to the caller; a `Link` header names the next page."""
    properties = expand_param(request)
    full = "siblings" in properties if properties else is_true(request.GET.get("full"))
    limit = number_param(request, "limit") or PAGE_SIZE
    page = model_search.page(
        _filters(request),
        _ORDERS.get(request.GET.get("sort", ""), Order.DOWNLOADS),
        Checkpoint.objects.visible_to(caller.user, caller.token),
        cursor=request.GET.get("cursor", ""),
        size=min(limit, FULL_PAGE_SIZE if full else PAGE_SIZE),
    )
    revisions = [result.revision for result in page.results if result.revision]
    paths = paths_of(revisions) if full else None
    response = json_response(
        [_model(request, result, properties, paths) for result in page.results]
    )
    if page.next_cursor:
        response["Link"] = next_link(request, reverse("hub:model-list"), page.next_cursor)
    return response


def _filters(request: HttpRequest) -> Filters:
    query = request.GET
    least, most = _parameter_bounds(query.get("num_parameters", ""))
    gated = query.get("gated", "").lower()
    task = storable(query.get("pipeline_tag", ""))
    return Filters(
        text=storable(query.get("search", "")[:MAX_TEXT]),
        org=storable(query.get("author", "")),
        tags=[storable(tag) for tag in query.getlist("filter") if tag.strip()],
        facets={"task": [task]} if task else {},
        gated={"true": True, "false": False}.get(gated),
        least_parameters=least,
        most_parameters=most,
    )


def _parameter_bounds(text: str) -> tuple[int | None, int | None]:
    """Parses `min:6B,max:128B` into two numbers; ignores malformed parts."""
    bounds: dict[str, int] = {}
    for part in text.split(","):
        if (match := _BOUND.fullmatch(part.strip())) is not None:
            bounds[match[1].lower()] = int(float(match[2]) * _UNITS[match[3].upper()])
    return bounds.get("min"), bounds.get("max")


def _model(
    request: HttpRequest,
    result: SearchResult,
    properties: list[str],
    paths: dict[int, list[str]] | None,
) -> dict[str, Any]:
    siblings = None
    if paths is not None:
        own_paths = paths.get(result.revision.pk, []) if result.revision else []
        siblings = [{"rfilename": path} for path in own_paths]
    payload = payloads.model_info(result, siblings)
    if properties:
        return payloads.select_properties(payload, properties)
    requested = {name for name in _OPTIONAL if is_true(request.GET.get(name))}
    omitted = (_EXPAND_ONLY | _OPTIONAL) - requested
    return {name: value for name, value in payload.items() if name not in omitted}
