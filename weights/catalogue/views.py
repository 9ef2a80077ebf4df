"""The home page."""

from typing import TYPE_CHECKING

from django.db.models import Count, Exists, OuterRef, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.roles.active_staff import is_active_staff
from accounts.web.current_user import user_or_none
from weights.catalogue.models import Checkpoint, CheckpointQuerySet, Family
from weights.publishing.models import Revision
from weights.storage.models import Blob
from weights.web import charts
from weights.web.process_copy import ProcessCopy

if TYPE_CHECKING:
    from accounts.users.models import User

Figures = list[tuple[str, int, str]]
#: With at least this many verified files, each process caches the public figures, since counting
#: ten million files takes seconds.
LARGE = 100_000
#: Maximum checkpoints in the chart of a family; the largest are shown.
MOST_IN_CHART = 40
_copy = ProcessCopy[Figures](seconds=300)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    user = user_or_none(request)
    visible = Checkpoint.objects.visible_to(user).select_related("tier", "family")
    visible_sized = visible.filter(parameters__gt=0)
    family = _first_family(visible_sized)
    of_family = _with_verification(visible_sized).filter(family=family)
    sized = list(of_family.order_by("-parameters")[:MOST_IN_CHART])[::-1] if family else []
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
        "family": family,
        "sized": sized,
        "wide": charts.parameters_wide(rows),
        "tall": charts.parameters_tall(rows),
        "newest": newest,
        "figures": _figures(user, visible),
    }
    return render(request, "weights/catalogue/home.html", context)


def _first_family(checkpoints: CheckpointQuerySet) -> Family | None:
    """The first family, in list order, that has one of these checkpoints."""
    own = checkpoints.filter(family=OuterRef("pk")).order_by()
    return Family.objects.filter(Exists(own), retired_at=None).first()


def _here(checkpoint: Checkpoint) -> str:
    if checkpoint.published_at:
        return charts.PUBLISHED
    return "being verified" if checkpoint.is_being_verified else "facts only"  # type: ignore[attr-defined]


def _with_verification(checkpoints: CheckpointQuerySet) -> CheckpointQuerySet:
    """Adds `is_being_verified`: a revision of the checkpoint is pending."""
    pending = Revision.objects.pending().filter(checkpoint=OuterRef("pk"))
    return checkpoints.annotate(is_being_verified=Exists(pending))


def _figures(user: "User | None", visible: CheckpointQuerySet) -> Figures:
    """The numbers of the home page: label, value, and how to format the value."""
    if user is not None and is_active_staff(user):
        return _count(visible)
    if copied := _copy.get():
        return copied
    figures = _count(visible)
    if figures[1][1] >= LARGE:
        _copy.keep(figures)
    return figures


def _count(visible: CheckpointQuerySet) -> Figures:
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
