"""Documents of an application: the one page that takes files, and the one that gives them."""

from contextlib import suppress

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.applications.documents import services
from accounts.applications.documents.models import Attachment
from accounts.applications.drafts import ApplicationDraft
from accounts.applications.models import Application
from accounts.applications.views.common import address_of, own, sentence
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.errors import AccountsError, NotFound
from accounts.web.current_user import signed_in
from accounts.web.uploads import FRAME, SingleFileHandler


@csrf_exempt  # looked at below, once the body is allowed to be as large as a document
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def document_add(request: HttpRequest, public_id: str, question: str) -> HttpResponse:
    application = own(request, public_id)
    try:
        services.question_of(application, question)
    except NotFound as error:
        raise Http404(str(error)) from error
    if request.method != "POST":
        if not application.is_editable:
            return redirect("accounts:application-detail", application.public_id)
        return _show(request, application, question)
    if int(request.META.get("CONTENT_LENGTH") or 0) > services.MOST_BYTES + FRAME:
        _read_away(request)
        return _show(request, application, question, error=_TOO_LARGE, status=413)
    request.upload_handlers = [SingleFileHandler(services.MOST_BYTES)]
    return _add(request, application, question)


#: Bytes of a body that is too large which are read and dropped before the answer.
_READ_AWAY = 64 * 1024 * 1024
_CHUNK = 64 * 1024


def _read_away(request: HttpRequest) -> None:
    """Take what the browser sends, up to a bound: many read no answer until all is sent."""
    left = _READ_AWAY
    with suppress(UnreadablePostError):
        while left > 0 and (read := request.read(_CHUNK)):
            left -= len(read)


_TOO_LARGE = "This file is larger than 10 MiB; send a smaller one."


@csrf_protect
def _add(request: HttpRequest, application: Application, question: str) -> HttpResponse:
    sent = request.FILES.get("document")
    if sent is None:
        return _show(request, application, question, error="Choose a PDF first.", status=422)
    try:
        name, content = sent.name or "", sent.read()
        services.attach(application, question, name, content, by=signed_in(request))
    except AccountsError as error:
        return _show(request, application, question, error=sentence(error), status=422)
    messages.success(request, "The document is kept with your application.")
    return redirect(request.path)


def _show(
    request: HttpRequest,
    application: Application,
    question: str,
    *,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    draft = ApplicationDraft(application, signed_in(request))
    kept = [one for found in draft.documents.values() for one in found]
    context = {
        "application": application,
        "tier": application.tier,
        "question": services.question_of(application, question),
        "documents": kept,
        "room": len(kept) < services.MOST_DOCUMENTS,
        "error": error,
        "back": address_of(application, draft.step_of(question)),
    }
    return render(request, "accounts/applications/document_add.html", context, status=status)


@login_required
@require_safe
def document(request: HttpRequest, public_id: str) -> HttpResponse:
    """The bytes, for their owner and the staff who read this tier's applications; 404 for all
    others."""
    person = signed_in(request)
    found = get_object_or_404(services.readable_by(person), public_id=public_id)
    if found.application.applicant_id != person.pk:
        details = {"document": str(found.public_id)}
        AuditEvent.record(
            AccountsEvent.APPLICATION_DOCUMENT_READ,
            actor=person,
            target=found.application,
            details=details,
        )
    return as_download(found)


def as_download(found: Attachment) -> HttpResponse:
    """Never shown in the browser, never kept by a cache, never taken for another type."""
    response = HttpResponse(bytes(found.content.data), content_type="application/pdf")
    response["Content-Disposition"] = content_disposition_header(True, found.name) or "attachment"
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@login_required
@require_POST
def document_remove(request: HttpRequest, public_id: str) -> HttpResponse:
    mine = Attachment.objects.filter(application__applicant=signed_in(request), removed_at=None)
    found = get_object_or_404(mine.select_related("application"), public_id=public_id)
    application, question = found.application, found.question
    try:
        services.remove(found, by=signed_in(request))
        messages.success(request, "The document is taken out.")
    except AccountsError as error:
        messages.error(request, sentence(error))
        return redirect("accounts:application-detail", application.public_id)
    return redirect("accounts:document-add", application.public_id, question)
