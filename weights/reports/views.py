"""The public report form and the page of each report."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.web.current_user import user_or_none
from weights.known_issues.models import KnownIssue
from weights.reports import submission
from weights.reports.choices import PUBLIC_DEEDS, Deed, Kind
from weights.reports.forms import ReportForm
from weights.reports.models import Report


@require_http_methods(["GET", "HEAD", "POST"])
def report_create(request: HttpRequest) -> HttpResponse:
    """The form; links from a checkpoint's page set its initial values."""
    initial = {
        key: request.GET[key] for key in ("checkpoint", "path", "kind") if key in request.GET
    }
    form = ReportForm(request.POST or None, initial=initial, person=user_or_none(request))
    if request.method == "POST" and form.is_valid():
        form.cleaned_data.pop("website")
        report = submission.submit(**form.cleaned_data)
        return redirect(report)
    status = 422 if form.errors else 200
    return render(request, "weights/reports/report_form.html", {"form": form}, status=status)


@never_cache
@require_safe
def report_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """A report's state, for anybody with its URL; without its text and without names."""
    report = get_object_or_404(Report.objects.select_related("checkpoint"), public_id=public_id)
    entries = report.entries.exclude(deed=Deed.NOTED)
    issues = KnownIssue.objects.visible_to(user_or_none(request)).filter(report=report)
    context = {
        "report": report,
        "events": [{"at": one.at, "text": PUBLIC_DEEDS[Deed(one.deed)]} for one in entries],
        "issues": issues.select_related("checkpoint"),
        "kind": Kind(report.kind).label,
    }
    response = render(request, "weights/reports/report_detail.html", context)
    response["X-Robots-Tag"] = "noindex"
    return response
