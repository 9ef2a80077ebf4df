"""Home and catalogue: what is here, what may I have?"""

from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.tiers.models import Tier
from accounts.web.sanitize import storable
from weights.catalogue.models import Checkpoint
from weights.catalogue.models.checkpoint import CheckpointQuerySet
from weights.publishing.models import Ref, Revision
from weights.storage.models import Blob
from weights.web import charts
from weights.web.lookup import person

_ORDERS = {
    "name": ("org", "name"),
    "parameters": (F("parameters").desc(nulls_last=True), "org", "name"),
    "newest": (F("published_at").desc(nulls_last=True), "org", "name"),
}


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    visible = Checkpoint.objects.visible_to(person(request)).select_related("tier", "family")
    sized = [found for found in visible.order_by("parameters") if found.family_id]
    rows = [
        (found.title or found.name, found.parameters, found.get_absolute_url(), found.tier.is_gated)
        for found in sized
        if found.parameters
    ]
    newest = (
        Revision.objects.visible()
        .filter(checkpoint__in=visible)
        .select_related("checkpoint__tier")
        .order_by("-visible_at")[:5]
    )
    context = {
        "sized": sized,
        "wide": charts.parameters_wide(rows),
        "tall": charts.parameters_tall(rows),
        "newest": newest,
        "figures": _figures(visible),
    }
    return render(request, "weights/catalogue/home.html", context)


@require_safe
def checkpoint_list(request: HttpRequest) -> HttpResponse:
    """Every checkpoint this person may know of; narrowed by GET parameters."""
    query = storable(request.GET.get("q", "").strip()[:200])
    tier, order = storable(request.GET.get("tier", "")), request.GET.get("sort", "name")
    held = request.GET.get("held") == "yes"
    found = _with_main(Checkpoint.objects.visible_to(person(request)))
    for word in query.split():
        found = found.filter(
            Q(org__icontains=word)
            | Q(name__icontains=word)
            | Q(title__icontains=word)
            | Q(summary__icontains=word)
        )
    if tier:
        found = found.filter(tier__slug=tier)
    if held:
        found = found.published()
    context = {
        "checkpoints": found.order_by(*_ORDERS.get(order, _ORDERS["name"])),
        "tiers": Tier.objects.order_by("name"),
        "query": query,
        "tier": tier,
        "held": held,
        "order": order if order in _ORDERS else "name",
    }
    return render(request, "weights/catalogue/checkpoint_list.html", context)


def _with_main(checkpoints: CheckpointQuerySet) -> CheckpointQuerySet:
    """Told with tier, licence, and the size of what `main` points at."""
    refs = Ref.objects.filter(checkpoint=OuterRef("pk"), name="main")
    main = refs.filter(revision__state=Revision.State.VISIBLE)
    return checkpoints.select_related("tier__licence").annotate(
        main_bytes=Subquery(main.values("revision__total_bytes")[:1]),
        main_files=Subquery(main.values("revision__file_count")[:1]),
        withdrawn=Exists(refs.filter(revision__state=Revision.State.WITHDRAWN)),
    )


def _figures(visible: CheckpointQuerySet) -> list[tuple[str, int, str]]:
    """The gate's numbers: label, value, and how the value is to be shown."""
    held = Blob.objects.filter(
        state=Blob.State.VERIFIED, files__revision__checkpoint__in=visible
    ).distinct()
    sums = Blob.objects.filter(pk__in=held.values("pk")).aggregate(
        files=Count("pk"), size=Sum("size")
    )
    published = visible.published().count()
    return [
        ("checkpoints published here", published, "count"),
        ("verified files", sums["files"], "count"),
        ("weighed and stored", sums["size"] or 0, "bytes"),
    ]
