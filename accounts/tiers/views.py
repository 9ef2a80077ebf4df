"""Public pages of tiers: their terms, questions and history."""

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from accounts.applications.forms import excluded
from accounts.applications.models.form import FormVersion
from accounts.applications.questions import ASKED_OF_ALL
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier, TierChange

CHANGES_PAGE = 50


@require_safe
def tier_list(request: HttpRequest) -> HttpResponse:
    tiers = Tier.objects.select_related("licence").order_by("name")
    return render(request, "accounts/tiers/tier_list.html", {"tiers": tiers})


@require_safe
def tier_detail(request: HttpRequest, slug: str) -> HttpResponse:
    tier = get_object_or_404(Tier.objects.select_related("licence"), slug=slug)
    context = {
        "tier": tier,
        "licence": tier.licence.in_force(),
        "questions": questions_of(tier),
        "countries": excluded(tier).values(),
        "changes": Paginator(public_changes(tier), CHANGES_PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "accounts/tiers/tier_detail.html", context)


def public_changes(tier: Tier) -> QuerySet[TierChange]:
    """Return the tier's public changes, newest first, without those of hidden checkpoints."""
    return TierChange.objects.filter(tier=tier, hidden=False)


def questions_of(tier: Tier) -> list[str]:
    """Return the labels of all questions, if the tier takes applications."""
    if tier.access_mode is not AccessMode.REVIEWED:
        return []
    own = FormVersion.objects.asked_by(tier)
    return [*ASKED_OF_ALL, *(question["label"] for question in own)]
