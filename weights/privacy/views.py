"""Pages of a user's own data exports."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.audit.models import AuditEvent
from accounts.privacy.models import DataExport
from accounts.web.current_user import signed_in
from weights.event_tags import WeightsEvent
from weights.privacy import export


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def export_list(request: HttpRequest) -> HttpResponse:
    """The archives of the last week; POST requests another one, made in the background."""
    person = signed_in(request)
    if request.method == "POST":
        export.request_export(person)
        return redirect("weights:export-list")
    own = DataExport.objects.filter(user=person).defer("content")
    return render(request, "weights/privacy/export_list.html", {"exports": own})


@login_required
@require_safe
def export_fetch(request: HttpRequest, public_id: UUID) -> HttpResponse:
    person = signed_in(request)
    ready = DataExport.objects.filter(user=person, state=DataExport.State.READY)
    archive = get_object_or_404(ready, public_id=public_id)
    response = HttpResponse(bytes(archive.content or b""), content_type="application/zip")
    response["Content-Disposition"] = 'attachment; filename="my-data.zip"'
    if request.method == "GET":
        AuditEvent.record(WeightsEvent.EXPORT_FETCHED, actor=person, target=person)
    return response
