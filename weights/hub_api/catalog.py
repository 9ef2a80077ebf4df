"""The Hub's listing and search of models (docs/clients.md#the-hubs-client)."""

import re
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from accounts.web.sanitize import storable
from weights.catalogue import search
from weights.catalogue.search import Found, Order, Search
from weights.gate.caller import Caller
from weights.hub_api import payloads
from weights.hub_api.listings import paths_of
from weights.hub_api.views import as_json, expanded, hub_view, is_true

PAGE = 1000
#: Of models told with their files, which may be many.
FULL_PAGE = 100
#: Told only to those who ask for it by the parameter of this name.
_ON_REQUEST = {"cardData": "cardData", "config": "config"}
#: Told only by `expand`, as on the Hub.
_BY_EXPAND = {"safetensors", "usedStorage"}
#: Nobody likes models here, and trends are told by downloads.
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
def models(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """Published checkpoints that the caller may know of; a `Link` header names the next page."""
    wanted = expanded(request)
    with_files = "siblings" in wanted if wanted else is_true(request.GET.get("full"))
    most = min(_limit(request), FULL_PAGE if with_files else PAGE)
    page = search.page(
        _search(request), caller.user, after=request.GET.get("cursor", ""), most=most
    )
    files = paths_of([one.revision for one in page.found if one.revision]) if with_files else None
    response = as_json([_told(request, one, wanted, files) for one in page.found])
    if page.after:
        response["Link"] = f'<{_next(request, page.after)}>; rel="next"'
    return response


def _search(request: HttpRequest) -> Search:
    asked = request.GET
    least, most = _bounds(asked.get("num_parameters", ""))
    gated = asked.get("gated", "").lower()
    return Search(
        text=storable(asked.get("search", "")),
        org=storable(asked.get("author", "")),
        tags=[storable(tag) for tag in asked.getlist("filter") if tag.strip()],
        pipeline_tag=storable(asked.get("pipeline_tag", "")),
        gated={"true": True, "false": False}.get(gated),
        least_parameters=least,
        most_parameters=most,
        order=_ORDERS.get(asked.get("sort", ""), Order.DOWNLOADS),
    )


def _bounds(text: str) -> tuple[int | None, int | None]:
    """`min:6B,max:128B` as numbers; what is not so spelt bounds nothing."""
    found: dict[str, int] = {}
    for part in text.split(","):
        if (bound := _BOUND.fullmatch(part.strip())) is not None:
            found[bound[1].lower()] = int(float(bound[2]) * _UNITS[bound[3].upper()])
    return found.get("min"), found.get("max")


def _limit(request: HttpRequest) -> int:
    """Lines a page; a limit that is no number above zero bounds nothing."""
    text = request.GET.get("limit", "")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    return number or PAGE


def _told(
    request: HttpRequest, one: Found, wanted: list[str], files: dict[int, list[str]] | None
) -> dict[str, Any]:
    siblings = None
    if files is not None:
        paths = files.get(one.revision.pk, []) if one.revision else []
        siblings = [{"rfilename": path} for path in paths]
    told = payloads.model_info(one, siblings)
    if wanted:
        return payloads.only(told, wanted)
    kept = {name for name, asked in _ON_REQUEST.items() if is_true(request.GET.get(asked))}
    left_out = (_BY_EXPAND | set(_ON_REQUEST)) - kept
    return {name: value for name, value in told.items() if name not in left_out}


def _next(request: HttpRequest, after: str) -> str:
    query = [(k, v) for k, values in request.GET.lists() if k != "cursor" for v in values]
    return f"{settings.PUBLIC_URL}/api/models?{urlencode([*query, ('cursor', after)])}"
