"""The catalogue page, and the page of an organisation."""

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Exists, OuterRef, Subquery
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.tiers.models import Tier
from accounts.web.current_user import user_or_none
from weights.catalogue import download_counts, licences
from weights.catalogue.licences import StatedLicence
from weights.catalogue.listing.filters import FACETS, Filters
from weights.catalogue.listing.ordering import Order, ordered
from weights.catalogue.listing.results import search
from weights.catalogue.listing.rows import Row, read, visible_rows
from weights.catalogue.models import Checkpoint, CheckpointQuerySet, Family
from weights.publishing.models import Ref, Revision

PAGE_SIZE = 50


@dataclass(frozen=True)
class Entry:
    """A row of the table; `parameters` are counted or declared."""

    checkpoint: Checkpoint
    licence: StatedLicence | None
    parameters: int | None
    task: str
    downloads: int


@dataclass(frozen=True)
class Selection:
    """An active filter: its label, and the query string without it."""

    label: str
    query: str


@require_safe
def checkpoint_list(request: HttpRequest) -> HttpResponse:
    """The checkpoints that the user may see, filtered by query parameters."""
    filters = Filters.from_query(request.GET)
    tiers = {
        tier.slug: f"{tier.name} (retired)" if tier.retired_at else tier.name
        for tier in Tier.objects.all()
    }
    visible = Checkpoint.objects.visible_to(user_or_none(request))
    downloads = download_counts.by_checkpoint()
    order = _order(request.GET.get("sort", ""), filters)
    found, facets = search(visible_rows(visible), filters, order, tiers, downloads)
    page = _page(found, request.GET.get("page"))
    labels = {(facet.name, one.value): one.label for facet in facets for one in facet.options}
    context = {
        "page": page,
        "checkpoints": _entries(page, downloads),
        "facets": facets,
        "filters": filters,
        "selections": _selections(request.GET, filters, labels),
        "order": order,
        "orders": [one for one in Order if one is not Order.RELEVANCE or filters.text],
        "url_query": _url_query(request.GET),
    }
    return render(request, "weights/catalogue/checkpoint_list.html", context)


@require_safe
def org_detail(request: HttpRequest, org: str) -> HttpResponse:
    """An organisation's visible checkpoints and families.

    404 for one without visible checkpoints, whether or not it has hidden ones.
    """
    visible = Checkpoint.objects.visible_to(user_or_none(request)).filter(org__iexact=org)
    downloads = download_counts.by_checkpoint()
    rows = read(visible, with_cards=True, with_licences=False)
    found = ordered(rows, Order.NAME, Filters(), downloads)
    if not found:
        raise Http404("no checkpoints of this organisation")
    page = _page(found, request.GET.get("page"))
    context = {
        "org": found[0].org,
        "page": page,
        "checkpoints": _entries(page, downloads),
        "published": sum(row.published_at is not None for row in found),
        "downloads": sum(downloads.get(row.pk, 0) for row in found),
        "families": Family.objects.filter(checkpoints__in=visible).distinct(),
        "url_query": "",
    }
    return render(request, "weights/catalogue/org_detail.html", context)


def _page(found: list[Row], number: str | None) -> Page[Row]:
    return Paginator(found, PAGE_SIZE).get_page(number)


def _order(name: str, filters: Filters) -> Order:
    """The order of this name; by default the best match for a text, else by name."""
    if name in set(Order) and (name != Order.RELEVANCE or filters.text):
        return Order(name)
    return Order.RELEVANCE if filters.text else Order.NAME


def _entries(page: Collection[Row], downloads: dict[int, int]) -> list[Entry]:
    """The table's entries for these rows, in the same order, with one query."""
    checkpoints = _with_main(Checkpoint.objects.all()).in_bulk([row.pk for row in page])
    return [
        Entry(
            checkpoint,
            licences.with_card(checkpoint, checkpoint.card_licence),  # type: ignore[attr-defined]
            row.parameters,
            row.task,
            downloads.get(row.pk, 0),
        )
        for row in page
        if (checkpoint := checkpoints.get(row.pk))
    ]


def _with_main(checkpoints: CheckpointQuerySet) -> CheckpointQuerySet:
    """Adds tier, licence, and the size and state of the revision that `main` points at."""
    refs = Ref.objects.filter(checkpoint=OuterRef("pk"), name="main")
    main = refs.filter(revision__state=Revision.State.VISIBLE)
    pending = Revision.objects.pending().filter(checkpoint=OuterRef("pk"))
    return checkpoints.select_related("tier__licence", "licence").annotate(
        card_licence=Subquery(main.values("revision__licence")[:1]),
        main_bytes=Subquery(main.values("revision__total_bytes")[:1]),
        main_files=Subquery(main.values("revision__file_count")[:1]),
        withdrawn=Exists(refs.filter(revision__state=Revision.State.WITHDRAWN)),
        is_being_verified=Exists(pending),
    )


def _selections(
    query: QueryDict, filters: Filters, labels: dict[tuple[str, str], str]
) -> list[Selection]:
    """The active filters, each with the query string without it."""
    chosen: list[tuple[str, str, str]] = [
        *(("org", value, f"by {value}") for value in [filters.org] if value),
        *(("family", value, f"family {value}") for value in [filters.family] if value),
        *(("tag", tag, f"tag {tag}") for tag in filters.tags),
        *(
            (facet, value, labels.get((facet, value), value))
            for facet in FACETS
            for value in filters.facets.get(facet, ())
        ),
    ]
    return [Selection(label, _without(query, name, value)) for name, value, label in chosen]


def _without(query: QueryDict, name: str, value: str) -> str:
    return _encoded([pair for pair in _pairs(query) if (pair[0], pair[1].strip()) != (name, value)])


def _url_query(query: QueryDict) -> str:
    """The parameters for links to other pages, ending in `&`; empty if none."""
    encoded = _encoded([pair for pair in _pairs(query) if pair[1]])
    return f"{encoded}&" if encoded else ""


def _pairs(query: QueryDict) -> list[tuple[str, str]]:
    """Names and values of all parameters except the page number."""
    return [(key, one) for key, values in query.lists() if key != "page" for one in values]


def _encoded(pairs: list[tuple[str, str]]) -> str:
    return urlencode([(key, value[:200]) for key, value in pairs[:100]], errors="replace")
