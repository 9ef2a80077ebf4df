"""The home page and the catalogue."""

from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.tiers.models import Tier
from accounts.web.current_user import user_or_none
from accounts.web.sanitize import storable
from weights.catalogue import licences
from weights.catalogue.models import Checkpoint, CheckpointQuerySet
from weights.publishing.models import Ref, Revision
from weights.storage.models import Blob
from weights.web import charts

_ORDERS = {
    "name": ("org", "name"),
    "parameters": (F("parameters").desc(nulls_last=True), "org", "name"),
    "newest": (F("published_at").desc(nulls_last=True), "org", "name"),
}


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    visible = Checkpoint.objects.visible_to(user_or_none(request)).select_related("tier", "family")
    sized = list(_with_verification(visible).filter(family__isnull=False).order_by("parameters"))
    rows = [
        (
            checkpoint.title or checkpoint.name,
            checkpoint.parameters,
            checkpoint.get_absolute_url(),
            checkpoint.tier.is_gated,
            _here(checkpoint),
        )
        for checkpoint in sized
        if checkpoint.parameters
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
    """Every checkpoint that the user may see, filtered by the query parameters."""
    query = storable(request.GET.get("q", "").strip()[:200])
    tier, order = storable(request.GET.get("tier", "")), request.GET.get("sort", "name")
    published_only = request.GET.get("held") == "yes"
    checkpoints = _with_main(Checkpoint.objects.visible_to(user_or_none(request)))
    for word in query.split():
        checkpoints = checkpoints.filter(
            Q(org__icontains=word)
            | Q(name__icontains=word)
            | Q(title__icontains=word)
            | Q(summary__icontains=word)
        )
    if tier:
        checkpoints = checkpoints.filter(tier__slug=tier)
    if published_only:
        checkpoints = checkpoints.published()
    checkpoints = checkpoints.order_by(*_ORDERS.get(order, _ORDERS["name"]))
    context = {
        "checkpoints": [
            (checkpoint, licences.with_card(checkpoint, checkpoint.card_licence))  # type: ignore[attr-defined]
            for checkpoint in checkpoints
        ],
        "tiers": Tier.objects.all(),
        "query": query,
        "tier": tier,
        "held": published_only,
        "order": order if order in _ORDERS else "name",
    }
    return render(request, "weights/catalogue/checkpoint_list.html", context)


def _here(checkpoint: Checkpoint) -> str:
    if checkpoint.published_at:
        return charts.PUBLISHED
    return "being verified" if checkpoint.is_being_verified else "facts only"  # type: ignore[attr-defined]


def _with_main(checkpoints: CheckpointQuerySet) -> CheckpointQuerySet:
    """Adds tier, licence, and the size and state of the revision that `main` points at."""
    refs = Ref.objects.filter(checkpoint=OuterRef("pk"), name="main")
    main = refs.filter(revision__state=Revision.State.VISIBLE)
    return _with_verification(checkpoints.select_related("tier__licence", "licence")).annotate(
        card_licence=Subquery(main.values("revision__licence")[:1]),
        main_bytes=Subquery(main.values("revision__total_bytes")[:1]),
        main_files=Subquery(main.values("revision__file_count")[:1]),
        withdrawn=Exists(refs.filter(revision__state=Revision.State.WITHDRAWN)),
    )


def _with_verification(checkpoints: CheckpointQuerySet) -> CheckpointQuerySet:
    """Adds `is_being_verified`: a revision of the checkpoint is pending."""
    pending = Revision.objects.pending().filter(checkpoint=OuterRef("pk"))
    return checkpoints.annotate(is_being_verified=Exists(pending))


def _figures(visible: CheckpointQuerySet) -> list[tuple[str, int, str]]:
    """The numbers of the home page: label, value, and how to format the value."""
    blobs = Blob.objects.filter(
        state=Blob.State.VERIFIED, files__revision__checkpoint__in=visible
    ).distinct()
    sums = Blob.objects.filter(pk__in=blobs.values("pk")).aggregate(
        files=Count("pk"), size=Sum("size")
    )
    return [
        ("checkpoints published here", visible.published().count(), "count"),
        ("verified files", sums["files"], "count"),
        ("stored", sums["size"] or 0, "bytes"),
    ]
