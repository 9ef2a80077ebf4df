"""Public pages of licences and their texts."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.tiers.models import Licence, LicenceVersion
from accounts.web.markdown import to_html
from accounts.web.text_diff import diff_excerpts


@require_safe
def licence_list(request: HttpRequest) -> HttpResponse:
    licences = Licence.objects.prefetch_related("tiers", "versions").order_by("title")
    return render(request, "accounts/tiers/licence_list.html", {"licences": licences})


@require_safe
def licence_detail(request: HttpRequest, slug: str, version: str = "") -> HttpResponse:
    """Show the text in force or of a version, and the changes since another version."""
    licence = get_object_or_404(Licence, slug=slug)
    versions = list(licence.versions.order_by("-effective_at"))
    now = timezone.now()
    in_force = next((found for found in versions if found.effective_at <= now), None)
    wanted = [found for found in versions if found.version == version] if version else [in_force]
    if not wanted or wanted[0] is None:
        raise Http404(f"{licence} has no such version")
    before = _before(versions, wanted[0], request.GET.get("since", ""))
    context = {
        "licence": licence,
        "version": wanted[0],
        "before": before,
        "changes": diff_excerpts(before.text, wanted[0].text) if before else [],
        "in_force": in_force,
        "versions": versions,
        "tiers": licence.tiers.order_by("name"),
        "text": to_html(wanted[0].text, top=2),
    }
    return render(request, "accounts/tiers/licence_detail.html", context)


def _before(
    versions: list[LicenceVersion], version: LicenceVersion, since: str
) -> LicenceVersion | None:
    """Return the version named `since`, else the previous one; `versions` is newest first."""
    if since:
        return next(
            (found for found in versions if found.version == since != version.version), None
        )
    older = [found for found in versions if found.effective_at < version.effective_at]
    return older[0] if older else None
