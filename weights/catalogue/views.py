"""The home page."""

from django.db.models import Count, Exists, OuterRef, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.web.current_user import user_or_none
from weights.catalogue.models import Checkpoint, CheckpointQuerySet
from weights.publishing.models import Revision
from weights.storage.models import Blob
from weights.web import charts


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


def _here(checkpoint: Checkpoint) -> str:
    if checkpoint.published_at:
        return charts.PUBLISHED
    return "being verified" if checkpoint.is_being_verified else "facts only"  # type: ignore[attr-defined]


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
