"""Public pages of tiers and licences."""

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.applications.models.form import FormVersion
from accounts.applications.questions import UNCONDITIONAL_LABELS
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Licence, LicenceVersion, Tier, TierChange
from accounts.web.markdown import to_html
from accounts.web.text_diff import diff_excerpts

CHANGES_PAGE = 50


@require_safe
def tier_list(request: HttpRequest) -> HttpResponse:
    tiers = Tier.objects.select_related("licence")
    return render(request, "accounts/tiers/tier_list.html", {"tiers": tiers})


@require_safe
def tier_detail(request: HttpRequest, slug: str) -> HttpResponse:
    tier = get_object_or_404(Tier.objects.select_related("licence"), slug=slug)
    context = {
        "tier": tier,
        "licence": tier.licence_in_force(),
        "questions": question_labels(tier),
        "countries": tier.excluded_countries.values(),
        "changes": Paginator(public_changes(tier), CHANGES_PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "accounts/tiers/tier_detail.html", context)


def public_changes(tier: Tier) -> QuerySet[TierChange]:
    """Return the tier's public changes, newest first, without those of hidden checkpoints."""
    return TierChange.objects.filter(tier=tier, hidden=False)


def question_labels(tier: Tier) -> list[str]:
    """Return the labels of all questions; none unless the tier takes applications."""
    if tier.access_mode is not AccessMode.REVIEWED:
        return []
    own = FormVersion.objects.asked_by(tier)
    return [*UNCONDITIONAL_LABELS, *(question["label"] for question in own)]


@require_safe
def licence_list(request: HttpRequest) -> HttpResponse:
    licences = Licence.objects.prefetch_related("tiers", "versions").order_by("title")
    return render(request, "accounts/tiers/licence_list.html", {"licences": licences})


@require_safe
def licence_detail(request: HttpRequest, slug: str, version: str = "") -> HttpResponse:
    """Show the text in force or that of `version`, and the changes since another version."""
    licence = get_object_or_404(Licence, slug=slug)
    versions = list(licence.versions.order_by("-effective_at"))
    now = timezone.now()
    in_force = next((one for one in versions if one.effective_at <= now), None)
    shown = next((one for one in versions if one.version == version), None) if version else in_force
    if shown is None:
        raise Http404(f"{licence} has no such version")
    before = _before(versions, shown, request.GET.get("since", ""))
    context = {
        "licence": licence,
        "version": shown,
        "before": before,
        "changes": diff_excerpts(before.text, shown.text) if before else [],
        "in_force": in_force,
        "versions": versions,
        "tiers": licence.tiers.all(),
        "text": to_html(shown.text, top=2),
    }
    return render(request, "accounts/tiers/licence_detail.html", context)


def _before(
    versions: list[LicenceVersion], version: LicenceVersion, since: str
) -> LicenceVersion | None:
    """Return the version named `since`, or else the previous one; `versions` is newest first."""
    if since:
        return next((one for one in versions if one.version == since != version.version), None)
    return next((one for one in versions if one.effective_at < version.effective_at), None)
